"""The application, and a way to serve it on a developer's machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

import uvicorn
from fastapi import FastAPI

from second_brain.config import Settings
from second_brain.routes import router
from second_brain.services import Services, connect

# The container listens on 8000, so that both can run side by side.
LOCAL_HOST = "127.0.0.1"
LOCAL_PORT = 8003


class State(TypedDict):
    """What every request can reach as `request.state`."""

    services: Services


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
    """Find the cloud services before the first request, and start with what was found."""
    yield {"services": await connect(Settings())}


app = FastAPI(title="second-brain", lifespan=lifespan)
app.include_router(router)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process answers. It does not depend on any cloud service."""
    return {"status": "ok"}


def main() -> None:
    """Serve the application for local work."""
    uvicorn.run(app, host=LOCAL_HOST, port=LOCAL_PORT)


if __name__ == "__main__":
    main()
