"""The home page: ten cards."""

import html

from tenfold import registry

__all__ = ["CSS", "cards"]

CSS = """
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
.card { display: block; text-align: left; border: 1px solid var(--border-color-primary); border-radius: .75rem;
  padding: 1rem 1.1rem; text-decoration: none !important; color: var(--body-text-color) !important;
  background: var(--block-background-fill) }
a.card:hover, a.card:focus-visible { border-color: #0072B2; outline: none; box-shadow: 0 0 0 1px #0072B2 }
.card h3 { margin: 0 0 .35rem; font-size: 1.05rem } .card p { margin: 0 0 .6rem; line-height: 1.45 }
.card small { color: var(--body-text-color-subdued) }
.card.planned { opacity: .7 } .card .state { float: right; font-size: .75rem; padding: .05rem .5rem; border-radius: 1rem;
  border: 1px solid currentColor } .card .ready { color: #00845a }
.card .planned-state { color: var(--body-text-color-subdued) }
footer { display: none !important }
"""


def cards(faults: dict[str, str]) -> str:
    """The cards of all ten systems; a page that could not be built says why.

    Args:
        faults: what is wrong, by name of system.
    """
    found = (_card(system, faults.get(system.name, "")) for system in registry.SYSTEMS.values())
    return f'<div class="cards">{"".join(found)}</div>'


def _card(system: registry.System, fault: str) -> str:
    words = f"<p>{html.escape(fault or system.summary)}</p><small>{html.escape(system.paper)}</small>"
    title = f"<h3>{html.escape(system.title)}</h3>"
    if system.is_ready and not fault:
        state = '<span class="state ready">ready</span>'
        return f'<a class="card" href="{system.name}">{state}{title}{words}</a>'
    label = "not working" if fault else "planned"
    return f'<div class="card planned"><span class="state planned-state">{label}</span>{title}{words}</div>'
