// Live values: the server says what stands where; this file only puts it there.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
  let key = null;

  function drawNode(node) {
    const box = byId("node-" + node.key);
    if (!box) return;
    box.setAttribute("class", `node k-${node.key} ${node.state}`);
    put(box.querySelector(".fig"), node.figure);
    put(box.querySelector(".word"), node.key === "house" && node.state !== "silent" ? "" : node.word);
    const flow = byId("flow-" + node.key);
    if (!flow) return;
    flow.setAttribute("class", `flow k-${node.key} ${node.toward}`);
    flow.querySelector(".run").setAttribute("stroke-width", node.width);
  }

  function show(state) {
    lost(false);
    put(byId("clock"), state.time);
    put(byId("headline"), state.headline);
    put(byId("price"), state.price);
    put(byId("co2"), state.co2);
    state.nodes.forEach(drawNode);
    for (const [id, figure] of Object.entries(state.figures))
      put(document.querySelector(`[data-device="${CSS.escape(id)}"]`), figure);
    if (key !== null && key !== state.key && !typing()) htmx.trigger(document.body, "refresh");
    key = state.key;
  }

  // A form that is being filled in must not be swapped away.
  const typing = () => document.activeElement && document.activeElement.matches("input,select");
  const lost = (is) => { byId("lost").hidden = !is; document.body.classList.toggle("is-lost", is); };

  let heard = Date.now();
  document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
    event.preventDefault();
    heard = Date.now();
    show(JSON.parse(event.detail.data));
  });
  document.body.addEventListener("htmx:sseError", () => lost(true));
  document.body.addEventListener("htmx:beforeRequest", (event) => { if (typing()) event.preventDefault(); });
  // The server speaks at least every 15 s; longer silence is a dead line that nobody told us of.
  if (byId("stream")) setInterval(() => { if (Date.now() - heard > 25000) lost(true); }, 5000);
  if (byId("drawing")) key = byId("drawing").dataset.key;
})();
