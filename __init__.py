"""ComfyUI's door to Hikaze, for a clone of this repository, or a link to it, in its custom_nodes."""

from typing import Any

# ComfyUI's page imports each .js below this folder.
WEB_DIRECTORY = "./web/dist/comfy"


async def comfy_entrypoint() -> Any:
    """Give ComfyUI our nodes; nothing is imported before it asks."""
    from .comfy_node.pack import open_pack

    return open_pack()
