"""The web application: guard, API, pages, static files."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway.web.alerts import alert_routes
from gateway.web.api import api_routes
from gateway.web.appliances import appliance_routes
from gateway.web.archive import archive_routes
from gateway.web.bills import bill_routes
from gateway.web.chargers import charger_routes
from gateway.web.dr_view import DrHome
from gateway.web.envelopes import envelope_routes
from gateway.web.events import event_routes
from gateway.web.flexibility import flexibility_routes
from gateway.web.forms import form_routes
from gateway.web.guard import Guard
from gateway.web.history import history_routes
from gateway.web.login import Login
from gateway.web.now_cost import now_cost_routes
from gateway.web.ops import ops_routes
from gateway.web.pages import STATIC, Pages, page_routes
from gateway.web.problems import add_problem_handlers
from gateway.web.programs import program_routes
from gateway.web.proof import proof_routes
from gateway.web.savings import savings_routes
from gateway.web.sessions import session_routes
from gateway.web.settings import WebSettings
from gateway.web.sources import source_routes
from gateway.web.stream import Streams
from gateway.web.targeting import targeting_routes
from gateway.web.whatif import whatif_routes


class KeptFiles(StaticFiles):
    """Static files whose address changes with their content: a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for a year."""
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def create_app(home: DrHome, *, settings: WebSettings) -> FastAPI:
    """The pages and the API of one home; `app.state.login` knows the set-up code."""
    # No docs pages: they would load scripts from outside.
    app = FastAPI(
        title="Hearth",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    login, streams = Login(home.facts, home.clock), Streams(home)
    pages = Pages(home, login)
    app.state.login = login
    add_problem_handlers(app)
    # Their routes as they are: `include_router` would make each of them a second time.
    for router in (
        api_routes(home, streams),
        history_routes(home),
        source_routes(home),
        envelope_routes(home),
        proof_routes(home),
        flexibility_routes(home),
        alert_routes(home, pages, home.alerts),
        ops_routes(home),
        page_routes(home, pages, streams),
        event_routes(home, pages),
        program_routes(home, pages),
        targeting_routes(home, pages),
        form_routes(home, pages, login),
        charger_routes(home, pages),
        session_routes(home, pages),
        appliance_routes(home, pages, home.appliances),
        bill_routes(home, pages, home.bills),
        savings_routes(home, pages, home.savings),
        archive_routes(home, pages, home.archive),
        now_cost_routes(home, pages, home.plans),
        whatif_routes(pages, home.questions, home.tariffs),
    ):
        app.router.routes.extend(router.routes)
    app.mount("/static", KeptFiles(directory=STATIC), "static")
    app.add_middleware(GZipMiddleware, minimum_size=700, compresslevel=6)
    # Added last, so it stands first: nothing is reached without passing it.
    app.add_middleware(Guard, login=login, settings=settings)
    return app
