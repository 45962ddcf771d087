"""Which functions and classes a pickle asks for that no file of tensors needs: to get them can run anything."""

from dataclasses import dataclass, field

from .symbols import DTYPES, STORAGES

MAX_GLOBALS = 32
"""The most names that are told of what a pickle asks for."""

_LONGEST_NAME = 120


@dataclass
class Asked:
    """What pickles ask for beyond the usual, as printable ASCII, and how many instructions were followed so far."""

    unusual: dict[str, None] = field(default_factory=dict[str, None])
    opcodes: int = 0

    def add(self, name: str) -> None:
        """Note a name that a pickle asks for."""
        if len(self.unusual) < MAX_GLOBALS and name not in self.unusual and not is_usual(name):
            self.unusual[_printable(name)] = None


def _printable(name: str) -> str:
    text = name[:_LONGEST_NAME].encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() else "?" for c in text)[:_LONGEST_NAME]


def is_usual(name: str) -> bool:
    """Tell whether files of tensors ask for this function or class, and whether to get it runs nothing of theirs.

    These are what `torch.load(weights_only=True)` allows, and a few more classes that do nothing when they are made.
    """
    module, _, last = name.rpartition(".")
    if module in {"torch", "torch.cuda"} and last.endswith("Storage"):
        return last.removesuffix("Storage") in STORAGES
    # What TorchScript compiled is no Python, and is not looked up among what Python can import.
    return name in _USUAL or name in DTYPES or _is_layer(name) or name.startswith("__torch__.")


_USUAL = frozenset(
    f"{module}.{name}"
    for module, names in {
        "collections": "OrderedDict Counter defaultdict",
        "torch": "Size Tensor device per_tensor_affine per_tensor_symmetric per_channel_affine",
        "torch.nn.parameter": "Parameter Buffer",
        "torch.storage": "UntypedStorage TypedStorage _UntypedStorage _TypedStorage",
        "torch.serialization": "_get_layout",
        "torch._tensor": "_rebuild_from_type_v2",
        "torch._utils": (
            "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter _rebuild_parameter_with_state "
            "_rebuild_qtensor _rebuild_sparse_tensor _rebuild_meta_tensor_no_storage _rebuild_wrapper_subclass "
            "_rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor"
        ),
        "torch.jit._pickle": (
            "build_intlist build_doublelist build_boollist build_tensorlist build_tensor_from_id restore_type_tag"
        ),
        "numpy": "dtype ndarray",
        "numpy.core.multiarray": "scalar _reconstruct",
        "numpy._core.multiarray": "scalar _reconstruct",
        "_codecs": "encode",
        "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
        "__builtin__": "bool bytearray complex dict float frozenset int list object set slice str tuple unicode",
        "copy_reg": "_reconstructor",
        "copyreg": "_reconstructor",
        "pytorch_lightning.callbacks.model_checkpoint": "ModelCheckpoint",  # in the checkpoints of Stable Diffusion 1
    }.items()
    for name in names.split()
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LAYERS = _words(
    "activation adapt batchnorm container conv dropout flatten fold instancenorm linear loss module normalization "
    "padding pixelshuffle pooling rnn sparse transformer upsampling"
)


def _is_layer(name: str) -> bool:
    """Tell whether a name is a class of `torch.nn.modules`, and nothing that can be reached through those modules."""
    parts = name.split(".")
    return (
        len(parts) == 5 and parts[:3] == ["torch", "nn", "modules"] and parts[3] in _LAYERS and parts[4][:1].isupper()
    )
