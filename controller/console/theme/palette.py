"""The colours of tokens.css as numbers, for tests of contrast and of colour-blind distance. The CSS is the source."""

import re
from pathlib import Path

THEME_DIR = Path(__file__).parent
_RULE = re.compile(r"(body(?:\.body--dark)?)\s*\{([^}]*)\}")
_TOKEN = re.compile(r"--bes-([a-z0-9-]+):\s*(#[0-9a-fA-F]{6})\s*;")


def palette(theme: str) -> dict[str, str]:
    """Token to `#rrggbb` for `light` or `dark`."""
    wanted = "body.body--dark" if theme == "dark" else "body"
    css = (THEME_DIR / "tokens.css").read_text(encoding="utf-8")
    tokens: dict[str, str] = {}
    for selector, rules in _RULE.findall(css):
        if selector in ("body", wanted):
            tokens |= dict(_TOKEN.findall(rules))
    return tokens
