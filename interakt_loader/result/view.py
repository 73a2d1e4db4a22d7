"""The colours of outcomes, the same in the notebook, in plots and in the HTML report; on light and on dark."""

from __future__ import annotations

from interakt_loader.model import Status

COLOURS = {
    Status.SENT: "#2e9e5b",
    Status.UNCHANGED: "#7fa99b",
    Status.RECORDED: "#5b9aa8",
    Status.MERGED: "#8d9fc0",
    Status.INVALID: "#d9822b",
    Status.REJECTED: "#c95f3c",
    Status.FAILED: "#c23b3b",
    Status.UNKNOWN: "#9a5fb5",
    Status.UNSENT: "#8a8f98",
}
