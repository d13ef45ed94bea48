"""EMHASS's part of benchmarks/planner_beside.py: runs under the interpreter of an environment that has emhass, not ours.

Reads {"step_s", "load_w", "pv_w", "buy", "sell", "battery", "car", "tank", "import_w", "repeat"} as JSON on standard input,
prints {"cold_s", "again_s", "status", "peak_mb"}.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any


async def configured(task: dict[str, Any]) -> tuple[Any, Any, Any, dict[str, Any]]:
    """EMHASS's three dictionaries for the task's home, and where its files are."""
    import emhass
    from emhass import utils

    root = Path(emhass.__file__).parent
    where = {
        "data_path": root / "data", "root_path": root, "defaults_path": root / "data/config_defaults.json",
        "associations_path": root / "data/associations.csv",
    }  # fmt: skip
    log = logging.getLogger("emhass")
    config = await utils.build_config(where, log, where["defaults_path"])
    config |= {
        "optimization_time_step": task["step_s"] // 60, "set_use_battery": True, "set_use_pv": True, "costfun": "profit",
        "number_of_deferrable_loads": 2, "lp_solver_timeout": 60,
        "nominal_power_of_deferrable_loads": [task["car"]["max_w"], task["tank"]["power_w"]],
        "minimum_power_of_deferrable_loads": [task["car"]["min_w"], 0.0],
        "operating_hours_of_each_deferrable_load": [task["car"]["hours"], task["tank"]["hours"]],
        "treat_deferrable_load_as_semi_cont": [False, True],
        "start_timesteps_of_each_deferrable_load": [0, 0],
        "end_timesteps_of_each_deferrable_load": [task["car"]["until"], 0],
        "set_nodischarge_to_grid": True, "maximum_power_from_grid": task["import_w"], "maximum_power_to_grid": task["import_w"],
        "battery_discharge_power_max": task["battery"]["power_w"], "battery_charge_power_max": task["battery"]["power_w"],
        "battery_nominal_energy_capacity": task["battery"]["wh"], "battery_minimum_state_of_charge": 0.1,
        "battery_maximum_state_of_charge": 1.0, "battery_target_state_of_charge": task["battery"]["soc"],
    }  # fmt: skip
    _, secrets = await utils.build_secrets(where, log)
    params = await utils.build_params(where, secrets, config, log)
    return (*utils.get_yaml_parse(params, log), where)


def main() -> None:
    logging.disable(logging.CRITICAL)
    task = json.load(sys.stdin)
    start = time.process_time()
    import numpy as np
    import pandas as pd
    from emhass.optimization import Optimization

    hass, optim, plant, where = asyncio.run(configured(task))
    imported = time.process_time() - start
    index = pd.date_range("2027-01-01", periods=len(task["load_w"]), freq=f"{task['step_s']}s", tz="UTC")
    hass["optimization_time_step"] = pd.to_timedelta(task["step_s"], "s")
    optim["delta_forecast_daily"] = timedelta(days=2)
    times, status = [], ""
    made = None
    for number in range(task["repeat"]):
        start = time.process_time()
        if made is None:
            made = Optimization(
                hass, optim, plant, "load", "sold", "profit", where, logging.getLogger("emhass"), 48, len(index)
            )
        # A plan again is asked with other data, as the next five minutes bring them.
        shift = 1.0 + 0.01 * number
        data = pd.DataFrame({"load": task["buy"], "sold": task["sell"]}, index=index)
        soc = task["battery"]["soc"]
        found = made.perform_optimization(
            data, np.array(task["pv_w"]), np.array(task["load_w"]) * shift, np.array(task["buy"]), np.array(task["sell"]),
            soc_init=soc, soc_final=soc,
        )  # fmt: skip
        times.append(time.process_time() - start)
        status = str(found["optim_status"].iloc[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"import_s": imported, "cold_s": times[0], "again_s": times[1:], "status": status, "peak_mb": peak})
    )


if __name__ == "__main__":
    main()
