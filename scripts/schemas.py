"""Writes the JSON Schemas of declarations to ``sites/schema`` (a test keeps them fresh)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from routes.schema import declaration_schemas  # noqa: E402 - the path to our packages comes first

FOLDER = ROOT / "sites" / "schema"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in declaration_schemas().items():
        text = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"sites/schema/{name}")


if __name__ == "__main__":
    main()
