"""What ComfyUI gets from us: the nodes, and beside them, where it can be had, our part of its server."""

import logging

from comfy_api.latest import ComfyExtension, io  # pyright: ignore[reportMissingImports] - ComfyUI has it

from .nodes import HikazeCheckpointLoader, HikazeLoraPowerLoader

log = logging.getLogger(__name__)


class HikazeExtension(ComfyExtension):
    """The pack, as ComfyUI's V3 schema has it."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Give the nodes."""
        return [HikazeCheckpointLoader, HikazeLoraPowerLoader]


def open_pack() -> HikazeExtension:
    """Set up the way to the daemon, and give the nodes, which need none."""
    try:
        from .server import begin

        begin()
    except Exception:
        # Whatever is wrong there, the nodes run from paths alone.
        log.exception("Hikaze's nodes work, but its overlay will not find the daemon")
    return HikazeExtension()
