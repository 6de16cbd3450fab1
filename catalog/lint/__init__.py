"""What is wrong in a catalogue although each declaration reads well by itself.

Standard   GB/T 19488.1-2004 and R-A4 (names), GB/T 21063.3-2007 and the 2017 guide (resources)
Promises   pure; everything found is told, each with its declaration, file and line
Not here   whether a declaration can be read: `catalog.read`; systems and routes: `routes.lint`
"""

from __future__ import annotations

from catalog.lint.code_lists import check_code_lists
from catalog.lint.element_names import check_element_names
from catalog.lint.elements import check_elements
from catalog.lint.finding import Finding, Notebook
from catalog.lint.resources import check_resources
from catalog.model import Catalogue

__all__ = ["Finding", "lint"]


def lint(catalogue: Catalogue) -> list[Finding]:
    """All findings, by file and line."""
    book = Notebook(catalogue)
    check_code_lists(catalogue, book)
    check_elements(catalogue, book)
    check_element_names(catalogue, book)
    check_resources(catalogue, book)
    return sorted(book.findings, key=lambda found: (found.file, found.line, found.code))
