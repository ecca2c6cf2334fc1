"""The plain layout: loaded by stock classes in a process without our code; its prompts are the training prompts."""

import copy
import json
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub_scripts.export_checkpoint import main as export
from modeling_motionllm.chat_template_motionllm import chat_template
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.prompts_motionllm import PROMPT_PRESETS


@pytest.fixture(scope="module")
def plain(thin_checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts") / "plain"
    assert export([str(thin_checkpoint), "--layout", "plain", "--out", str(folder)]) == 0
    return folder


def request(tokenizer, content):
    message = [{"role": "user", "content": content}]
    return tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]


def test_stock_classes_load_it_without_our_code(plain, model, processor, tmp_path):
    script = f"""
        import sys
        for name in ("motionllm", "modeling_motionllm", "tokenization", "hub_scripts", "peft"):
            sys.modules[name] = None
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        tokenizer = AutoTokenizer.from_pretrained({str(plain)!r})
        model = AutoModelForCausalLM.from_pretrained({str(plain)!r})
        message = [{{"role": "user", "content": "A person walks  forward."}}]
        inputs = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_tensors="pt")
        print("IDS", inputs["input_ids"].tolist())
        print("SUM", float(model(**inputs).logits.double().abs().sum()))
        print("CLASS", type(model).__module__)
    """
    run = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found = dict(line.split(" ", 1) for line in run.stdout.splitlines() if " " in line)
    assert not list(plain.glob("*.py"))
    assert found["CLASS"].startswith("transformers.models.")
    inputs = processor(text="A person walks  forward.")
    assert json.loads(found["IDS"]) == inputs["input_ids"].tolist()
    with torch.no_grad():
        expected = model(**inputs).logits.double().abs().sum()
    assert float(found["SUM"]) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("prompts", list(PROMPT_PRESETS))
def test_its_chat_template_yields_the_training_prompts(prompts, tokenizer, processor):
    own = MotionLLMProcessor(tokenizer, prompts=prompts, codebook_size=processor.codebook_size)
    stock = copy.deepcopy(tokenizer)
    stock.chat_template = chat_template(own)
    for caption in ("A person  walks forward.", "It's {odd} \\ 'quoted'\n\"text\"", "ümläut..."):
        assert request(stock, caption) == own.text_to_motion_ids(caption)
    parts = [{"type": "text", "text": "a person walks"}]
    assert request(stock, parts) == own.text_to_motion_ids("a person walks")
    codes = [3, 1, 4, 1, 5]
    motion = "<Motion>" + "".join(f"<Motion_{code}>" for code in codes) + "</Motion>"
    assert request(stock, motion) == own.motion_to_text_ids(codes)
    example = own.training_example("motion-to-text", "a person walks", codes)
    chat = [{"role": "user", "content": motion}, {"role": "assistant", "content": "a person walks"}]
    assert stock.apply_chat_template(chat)["input_ids"] == example["input_ids"]


def test_servers_are_told_the_tokens_of_motions(plain, processor):
    told = json.loads((plain / "motion_tokens.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(plain)
    first, last = told["offset"], told["offset"] + told["codebook_size"] - 1
    ids = [told["start"], told["end"], first, last]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<Motion>", "</Motion>", "<Motion_0>", "<Motion_31>"]
    assert (told["frames_per_code"], told["fps"], told["max_seconds"]) == (4, 20.0, 10.0)
    assert told["grammar"] == f"start: code{{1,50}} ending\ncode: <[{first}-{last}]>\nending: <[{told['end']}]>\n"
    prompt = told["text_to_motion"].format(caption="a person walks")
    assert tokenizer(prompt)["input_ids"] == processor.text_to_motion_ids("a person walks")


def test_requests_of_several_messages_are_refused(plain):
    tokenizer = AutoTokenizer.from_pretrained(plain)
    messages = [{"role": "user", "content": "walk"}, {"role": "user", "content": "run"}]
    with pytest.raises(Exception, match="one user message"):
        tokenizer.apply_chat_template(messages)


def test_its_generation_stops_at_the_end_of_a_motion(plain, model):
    settings = AutoModelForCausalLM.from_pretrained(plain).generation_config
    assert model.motion_vocabulary.end in settings.eos_token_id
    assert settings.max_new_tokens == 51
    assert settings.do_sample is not True


def test_the_folder_appears_whole_or_not_at_all(thin_checkpoint, plain, tmp_path):
    with pytest.raises(MotionLLMError, match="exists"):
        export([str(thin_checkpoint), "--layout", "plain", "--out", str(plain)])
    with pytest.raises(MotionLLMError, match="is missing"):
        export([str(thin_checkpoint), "--layout", "plain", "--out", str(tmp_path / "x"), "--adapter", "none"])
    assert not list(tmp_path.iterdir())


def test_transformers_serve_answers_with_motion_codes(plain, model, processor):
    pytest.importorskip("openai", reason="`pip install transformers[serving]` brings the server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", plain, "--device", "cpu", "--port", port]
    server = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        import openai

        client = openai.OpenAI(base_url=f"http://localhost:{port}/v1", api_key="-", max_retries=0, timeout=60)
        message = {"role": "user", "content": "a person walks forward"}
        deadline = time.monotonic() + 600
        while True:
            try:
                answer = client.chat.completions.create(model=str(plain), messages=[message], max_tokens=12)
                break
            except openai.APIConnectionError:
                assert time.monotonic() < deadline, "the server did not start"
                assert server.poll() is None, "the server stopped"
                time.sleep(1)
    finally:
        server.terminate()
        server.wait()
    text = answer.choices[0].message.content
    inputs = processor(text="a person walks forward")
    with torch.no_grad():
        ids = model.generate(**inputs, max_new_tokens=12, do_sample=False, eos_token_id=model.motion_vocabulary.end)
    assert text == processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
