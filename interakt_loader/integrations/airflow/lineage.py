"""What a load has read and written, for the assets and the lineage of Airflow: names and counts, no rows.

Datasets are named as OpenLineage names them. What a load writes is called `interakt://api.interakt.ai/users`, or
`…/events`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from interakt_loader.settings.values import local_path

if TYPE_CHECKING:
    from interakt_loader.result import LoadResult

SCHEME = "interakt"


def account(base_url: str, kind: str) -> tuple[str, str]:
    """Return namespace and name of what the calls of a kind change: the users or the events at an address."""
    return f"{SCHEME}://{urlsplit(base_url).netloc}", f"{kind}s"


def read_from(path: str) -> tuple[str, str]:
    """Return namespace and name of a source: of a path on this machine, or of an address without its secrets."""
    here = local_path(path)
    if here is not None:
        return "file", Path(here).expanduser().absolute().as_posix()
    address = urlsplit(path)
    return f"{address.scheme}://{address.netloc}", address.path.lstrip("/") or "/"


def counts_of(result: LoadResult) -> dict[str, Any]:
    """Return the counts of a load, for the event of an asset."""
    facts = result.as_dict()
    return {name: facts[name] for name in ("kind", "rows", "status", "attempts")}


def lineage_of(result: LoadResult | None, paths: list[str]) -> Any:
    """Return what OpenLineage's listener asks an operator for; None if the load did not begin.

    Only that listener calls this, so its packages are there.
    """
    if result is None:
        return None
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset as read
    from openlineage.client.facet_v2 import output_statistics_output_dataset as written

    # the rows of several sources are not counted one by one
    rows = {"inputStatistics": read.InputStatisticsInputDatasetFacet(rowCount=result.rows)} if len(paths) == 1 else {}
    sent = written.OutputStatisticsOutputDatasetFacet(rowCount=result.sent)
    output = account(result.options["base_url"], result.kind)
    return OperatorLineage(
        inputs=[InputDataset(*read_from(path), inputFacets=rows) for path in paths],
        outputs=[OutputDataset(*output, outputFacets={"outputStatistics": sent})],
    )


def dataset_of_asset(asset: Any, lineage_context: Any) -> Any:
    """Return the dataset of OpenLineage that an asset `interakt://…` is."""
    del lineage_context
    from airflow.providers.common.compat.openlineage.facet import Dataset as Named

    return Named(*read_from(asset.uri))
