"""The peers, in a virtual environment of their own. One that cannot be had is a reason in the table, not the end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Dict, List, Optional

PACKAGES: Dict[str, List[str]] = {
    "PyTorch": ["torch", "torchvision", "numpy"],
    "ONNX Runtime": ["onnxruntime", "numpy"],
}
IMPORTS = {"PyTorch": "import torch, torchvision", "ONNX Runtime": "import onnxruntime, numpy"}


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "without a word"


class Environment:
    """In `folder`/venv; what pip says goes to `folder`/pip.log."""

    def __init__(self, folder: str, torch_index: Optional[str]):
        self.folder = os.path.join(folder, "venv")
        self.log = os.path.join(folder, "pip.log")
        self.torch_index = torch_index

    @property
    def python(self) -> str:
        return os.path.join(self.folder, "bin", "python")

    def _run(self, command: List[str]) -> Optional[str]:
        """Nothing, or why it failed."""
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        except OSError as error:
            return str(error)
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}")
        return None if done.returncode == 0 else last_line(done.stdout)

    def _create(self) -> Optional[str]:
        if os.path.exists(self.python):
            return None
        failure = self._run([sys.executable, "-m", "venv", self.folder])
        return failure and f"`python3 -m venv` failed (Debian: apt-get install python3-venv): {failure}"

    def _import(self, peer: str) -> Optional[str]:
        failure = self._run([self.python, "-c", IMPORTS[peer]])
        return failure and f"installed, but not importable: {failure}"

    def _install(self, peer: str) -> Optional[str]:
        print(f"bench: installing {' '.join(PACKAGES[peer])} into {self.folder}", file=sys.stderr, flush=True)
        command = [self.python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        index = ["--index-url", self.torch_index] if peer == "PyTorch" and self.torch_index else []
        failure = self._run(command + index + PACKAGES[peer])
        return failure and f"not installable: {failure} ({self.log})"

    def prepare(self, peer: str) -> Optional[str]:
        """Nothing, or why the peer cannot take part."""
        failure = self._create()
        if failure or self._import(peer) is None:
            return failure
        return self._install(peer) or self._import(peer)
