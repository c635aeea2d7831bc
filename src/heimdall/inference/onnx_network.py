"""The network without torch: an onnxruntime session, warm, fed with windows."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.inference.window import MAPS, TOKENS, Window

INPUTS = ("maps", "tokens", "present")
OUTPUTS = ("mixture", "log_background")
_ERROR = 3


class OnnxNetwork:
    """Runs a bundle's network. Safe to share between threads."""

    def __init__(self, content: bytes, cells: int, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERROR
        if threads is not None:
            options.intra_op_num_threads = threads
        # Spinning threads win a millisecond and take the cores from the rest of the program.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InputError(f"the bundle's network cannot be loaded: {' '.join(str(error).split())[:300]}") from error
        _check_interface(self._session, cells)
        self.run(blank_window(cells))

    def run(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mixture parameters (B, P, H, H) and the log weight of the broad component (B,)."""
        feeds = {"maps": window.maps, "tokens": window.tokens, "present": window.present}
        mixture, log_background = self._session.run(list(OUTPUTS), feeds)
        return mixture, log_background


def _check_interface(session: onnxruntime.InferenceSession, cells: int) -> None:
    shapes = {each.name: each.shape for each in session.get_inputs()}
    fits = (
        tuple(shapes) == INPUTS
        and shapes["maps"][1:] == [len(MAPS), cells, cells]
        and shapes["tokens"][2:] == [len(TOKENS)]
        and tuple(each.name for each in session.get_outputs()) == OUTPUTS
    )
    if not fits:
        raise InputError(f"the bundle's network has inputs {shapes}, which do not fit its manifest")


def blank_window(cells: int) -> Window:
    """The window of a scene in which three receivers heard nothing: as much work for the network as any other."""
    from heimdall.estimation.frame import WindowFrame

    one = np.ones(1)
    return Window(
        maps=np.zeros((1, len(MAPS), cells, cells), np.float32),
        tokens=np.zeros((1, 3, len(TOKENS)), np.float32),
        present=np.ones((1, 3), np.float32),
        frame=WindowFrame(np.zeros((1, 2)), one, one),
    )
