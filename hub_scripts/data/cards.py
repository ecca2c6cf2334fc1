"""The cards of prepared datasets: text and metadata from templates."""

import json
from dataclasses import dataclass
from pathlib import Path
from string import Template

__all__ = ["DatasetCard", "dataset_card"]

_TEMPLATES = Path(__file__).with_name("card_templates")


@dataclass(frozen=True)
class DatasetCard:
    """Text of a card, and its metadata as YAML values."""

    text: str
    metadata: dict[str, str]

    @property
    def license(self) -> str:
        """Of the data, as the Hub spells it."""
        return self.metadata["license"]


def dataset_card(kind: str, **fields: str) -> DatasetCard:
    """The card of a kind of dataset.

    Args:
        kind: name of a template: "bandai", "recordings", "humanml3d", "kit", "scenes", "sequences" or "interhuman".
        fields: what the template leaves open; also there as `quoted_...`, for YAML.
    """
    template = Template((_TEMPLATES / f"{kind}.md").read_text(encoding="utf-8"))
    quoted = {f"quoted_{name}": json.dumps(value, ensure_ascii=False) for name, value in fields.items()}
    _, head, text = template.substitute(fields, **quoted).split("---\n", 2)
    return DatasetCard(text.strip(), dict(line.split(": ", 1) for line in head.strip().splitlines()))
