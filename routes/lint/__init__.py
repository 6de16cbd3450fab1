"""What in the declarations would fail at run time, or is likely a slip: found before anything runs.

Form       findings in the order of files and lines; an *error* stops ``shuniu lint``, a *warning* not
Careful    streams fed or followed by domain services are known to the composition root alone: it
           passes them in, else they are warned about
Not here   rules on elements and resources: `catalog.lint`
"""

from __future__ import annotations

from collections.abc import Collection

from routes.lint.examples import check_examples
from routes.lint.finding import Finding, Notebook, Severity
from routes.lint.flows import check_flows
from routes.lint.inward import check_intakes
from routes.lint.names import check_names
from routes.lint.outward import check_routes
from routes.site import Declarations

__all__ = ["Finding", "Severity", "lint"]


def lint(
    declarations: Declarations, *, fed: Collection[str] = (), taken: Collection[str] = ()
) -> list[Finding]:
    """
    Check *declarations* against each other and the catalogue.

    *fed* and *taken* are the resources whose streams domain services publish to and follow.
    """
    book = Notebook(declarations)
    check_names(declarations, book)
    check_intakes(declarations, book)
    check_routes(declarations, book)
    check_flows(declarations, book, fed, taken)
    check_examples(declarations, book)
    return sorted(book.findings, key=lambda each: (each.file, each.line, each.code))
