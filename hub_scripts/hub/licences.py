"""Which base language models must not be handed on inside a full checkpoint."""

from fnmatch import fnmatch

__all__ = ["redistribution_obstacle"]

# Weights that their makers give only to those who accept their terms (gated on the Hub, or not for any use): name
# pattern -> licence. Fine-tuned copies usually keep the family's name, so the patterns look at the last part too.
_RESTRICTED_NAMES = {
    "*gemma*": "Gemma Terms of Use",
    "meta-llama/*": "Llama Community License",
    "*codellama*": "Llama 2 Community License",
    "*llama-2*": "Llama 2 Community License",
    "*llama-3*": "Llama 3 Community License",
    "*llama-4*": "Llama 4 Community License",
    "coherelabs/*": "CC BY-NC 4.0 with Cohere's acceptable use policy",
    "cohereforai/*": "CC BY-NC 4.0 with Cohere's acceptable use policy",
    "mistralai/*large*": "Mistral AI Research License",
    "mistralai/ministral-8b*": "Mistral AI Research License",
    "mistralai/codestral*": "Mistral AI Non-Production License",
}

# A folder's name may say nothing; these architectures are of one family only (the type `llama` is not: SmolLM2 has it).
_RESTRICTED_TYPES = {
    "gemma": "Gemma Terms of Use",
    "gemma2": "Gemma Terms of Use",
    "gemma3": "Gemma Terms of Use",
    "gemma3_text": "Gemma Terms of Use",
    "llama4": "Llama 4 Community License",
    "llama4_text": "Llama 4 Community License",
    "cohere": "CC BY-NC 4.0 with Cohere's acceptable use policy",
    "cohere2": "CC BY-NC 4.0 with Cohere's acceptable use policy",
}


def redistribution_obstacle(base_model: str | None, model_type: str | None) -> str | None:
    """The licence that forbids handing on a base model's weights without its terms, or None where there is none known.

    Args:
        base_model: Hub id or folder.
        model_type: `config.text_config.model_type`.
    """
    name = (base_model or "").lower().replace("\\", "/")
    for pattern, licence in _RESTRICTED_NAMES.items():
        if fnmatch(name, pattern):
            return licence
    return _RESTRICTED_TYPES.get(model_type or "")
