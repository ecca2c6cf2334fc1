"""`AdapterTrainer`: a Trainer that saves adapters, not whole models, and pushes finished thin checkpoints."""

import tempfile
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo

from hub_scripts.hub.layouts import LAYOUTS, layout_files
from hub_scripts.hub.push import push_files
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import share_files

from .trainer import ModelTrainer

__all__ = ["AdapterTrainer"]


class AdapterTrainer(ModelTrainer):
    """Trainer whose checkpoints hold the adapter alone, without the resized embedding table of the base.

    `push_to_hub` sends the thin checkpoint `final_checkpoint` in one commit; nothing is pushed before it is there.
    """

    final_checkpoint: Path | None = None
    adapter_name: str = "default"

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        self.accelerator.unwrap_model(self.model).save_pretrained(folder, save_embedding_layers=False)
        share_files(folder)
        self.processing_class.save_pretrained(folder)

    def push_to_hub(  # type: ignore[override]
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **kwargs: Any,
    ) -> CommitInfo | None:
        """Send the finished thin checkpoint to `args.hub_model_id`.

        Args:
            commit_message, token, revision, private: as for any Trainer.
            blocking: must be True.
            kwargs: none; the card is made from the training record.

        Raises:
            MotionLLMError: training has not finished, an option that is not possible, or the Hub refused.
        """
        if kwargs or not blocking:
            raise MotionLLMError(f"push_to_hub does not know {sorted(kwargs) or 'blocking=False'}; leave it out")
        if self.final_checkpoint is None:
            raise MotionLLMError("there is no finished checkpoint to push yet; train first")
        if not self.is_world_process_zero():
            return None
        token = token if token is not None else self.args.hub_token
        if self.hub_model_id is None:
            self.init_hf_repo(token=token, private=private)
        repo = str(self.hub_model_id)
        with tempfile.TemporaryDirectory(prefix="motionllm-push-") as temporary:
            LAYOUTS["thin"].write(self.final_checkpoint, Path(temporary), repo, self.adapter_name)
            commit, _ = push_files(
                layout_files(Path(temporary)),
                repo,
                "thin",
                revision=revision or self.args.hub_revision or "main",
                message=commit_message,
                token=token,
            )
        return commit
