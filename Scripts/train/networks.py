"""The networks that can be trained, by name."""

from functools import partial

from unet import UNet
from unetrpp import UNETRPP

NAMES = ("unetrpp", "unet")


def network_class(name, unet=None):
    """What makes the network of that name from a description; `unet`: sizes of the plain U-Net (UNet's arguments)."""
    if name not in NAMES:
        raise ValueError(f"unknown network: {name}")
    return partial(UNet, **(unet or {})) if name == "unet" else UNETRPP
