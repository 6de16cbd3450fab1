"""The peer: dlt's incremental merge of the same rows, in an environment of its own.

Form       spec ``{"source", "target", "rows", "table"}``, as `bench.children` hands it; stands alone, for
           that environment holds nothing of the hub's
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

__all__ = ["main"]


def main() -> None:
    spec = json.loads(sys.stdin.readline())
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    os.environ["NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    # Behind the environment's settings, and by name: it is not installed where this is checked.
    dlt: Any = import_module("dlt")
    sql_table = import_module("dlt.sources.sql_database").sql_table
    with TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "front_tables",
            destination=dlt.destinations.postgres(spec["target"]),
            dataset_name="peer",
            pipelines_dir=folder,
            progress=None,
        )
        table = sql_table(
            credentials=spec["source"].replace("://", "+psycopg2://", 1),
            table=spec["table"],
            backend="pyarrow",
            chunk_size=10_000,
            incremental=dlt.sources.incremental("x_id"),
        )
        table.apply_hints(primary_key="x_key", write_disposition="merge")
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.perf_counter()
        pipeline.run(table, loader_file_format="csv")
        took_s = time.perf_counter() - began
        print(json.dumps({"took_s": took_s, "rows": spec["rows"]}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
