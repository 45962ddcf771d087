"""What runs inside ComfyUI: two loader nodes, and the overlay's way to the daemon.

Nothing here needs anything of ours to be installed.
"""
