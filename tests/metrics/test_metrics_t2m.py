"""The T2M evaluator's loaders, on stand-ins with the published names and shapes, and its arithmetic."""

import os
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hub_scripts.metrics.score import score_motions
from hub_scripts.metrics.t2m import T2MEvaluator, T2MJudge
from hub_scripts.metrics.t2m_words import T2MWords, load_plain_pickle
from modeling_motionllm.errors_motionllm import MotionLLMError

SIZES = {"sizes": (16, 24, 20, 12), "word_size": 300}
WORDS = ["sos", "eos", "unk", "a", "man", "walk", "slowly"]
# Names and shapes of finest.tar for HumanML3D (Guo et al. 2022, networks/modules.py and evaluator_wrapper.py).
PUBLISHED = {
    "movement_encoder": {
        "main.0.weight": (512, 259, 4),
        "main.3.weight": (512, 512, 4),
        "out_net.weight": (512, 512),
        "out_net.bias": (512,),
    },
    "text_encoder": {
        "hidden": (2, 1, 512),
        "pos_emb.weight": (300, 15),
        "input_emb.weight": (512, 300),
        "gru.weight_ih_l0_reverse": (1536, 512),
        "output_net.0.weight": (512, 1024),
        "output_net.1.weight": (512,),
        "output_net.3.weight": (512, 512),
    },
    "motion_encoder": {
        "hidden": (2, 1, 1024),
        "input_emb.weight": (1024, 512),
        "gru.weight_hh_l0": (3072, 1024),
        "output_net.0.weight": (1024, 2048),
        "output_net.3.weight": (512, 1024),
    },
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """`finest.tar`, statistics and GloVe files, in small."""
    folder = tmp_path_factory.mktemp("t2m")
    torch.manual_seed(0)
    model = T2MEvaluator(**SIZES)
    torch.nn.init.normal_(model.motion_encoder.hidden)
    torch.nn.init.normal_(model.text_encoder.hidden)
    names = ("movement_encoder", "text_encoder", "motion_encoder")
    state = {name: getattr(model, name).state_dict() for name in names}
    torch.save({**state, "opt_text_encoder": {"state": {}, "param_groups": []}, "epoch": 3}, folder / "finest.tar")
    rng = np.random.default_rng(0)
    np.save(folder / "mean.npy", rng.normal(size=263))
    np.save(folder / "std.npy", rng.random(263) + 0.5)
    np.save(folder / "our_vab_data.npy", rng.normal(size=(len(WORDS), 300)))
    rows = {word: len(WORDS) - 1 - index for index, word in enumerate(WORDS)}
    for name, value in (("words", WORDS), ("idx", rows)):
        with (folder / f"our_vab_{name}.pkl").open("wb") as file:
            pickle.dump(value, file)
    return folder


@pytest.fixture(scope="module")
def evaluator(files) -> T2MEvaluator:
    return T2MEvaluator.from_files(files / "finest.tar", files / "mean.npy", files / "std.npy", **SIZES)


@pytest.fixture(scope="module")
def words(files) -> T2MWords:
    return T2MWords(files)


def test_the_names_and_shapes_are_the_published_ones():
    model = T2MEvaluator()
    for part, shapes in PUBLISHED.items():
        state = getattr(model, part).state_dict()
        assert {name: tuple(state[name].shape) for name in shapes} == shapes
    counts = {part: len(getattr(model, part).state_dict()) for part in PUBLISHED}
    assert counts == {"movement_encoder": 6, "text_encoder": 19, "motion_encoder": 17}


class TestMotions:
    def test_against_a_computation_clip_by_clip(self, evaluator, files):
        rng = np.random.default_rng(1)
        clips = [rng.normal(size=(length, 263)).astype(np.float32) for length in (31, 196, 4, 250)]
        table = evaluator.embed_motions(clips, batch_size=3)
        mean, std = np.load(files / "mean.npy"), np.load(files / "std.npy")
        state = torch.load(files / "finest.tar", weights_only=True)
        move = state["movement_encoder"]
        for clip, row in zip(clips, table, strict=True):
            length = min(len(clip), 196) // 4
            x = np.zeros((196, 259), np.float32)
            x[: 4 * length] = ((clip - mean) / std)[: 4 * length, :259]
            y = torch.from_numpy(x.T)[None]
            for place in (0, 3):
                y = F.leaky_relu(F.conv1d(y, move[f"main.{place}.weight"], move[f"main.{place}.bias"], 2, 1), 0.2)
            y = F.linear(y[0].T, move["out_net.weight"], move["out_net.bias"])[:length]
            encoder = evaluator.motion_encoder
            with torch.no_grad():
                last = encoder.gru(encoder.input_emb(y)[None], encoder.hidden)[1]
                expected = encoder.output_net(torch.cat([last[0], last[1]], -1))[0]
            np.testing.assert_allclose(row, expected, atol=1e-5)

    def test_contacts_are_not_seen_and_all_else_is(self, evaluator):
        clip = np.random.default_rng(2).normal(size=(40, 263)).astype(np.float32)
        contacts, turn = clip.copy(), clip.copy()
        contacts[:, -4:] += 1
        turn[:, 0] += 1
        plain, same, other = evaluator.embed_motions([clip, contacts, turn])
        np.testing.assert_allclose(plain, same, atol=1e-5)
        assert not np.allclose(plain, other)

    def test_too_short(self, evaluator):
        with pytest.raises(MotionLLMError, match=r"motion 1 has shape \(3, 263\)"):
            evaluator.embed_motions([np.zeros((4, 263)), np.zeros((3, 263))])


class TestWords:
    def test_classes_and_vectors(self, words, files):
        vectors, classes, length = words(["a/DET", "man/NOUN", "walk/VERB", "slowly/ADV", "zigzag/ADV", "a/QQQ"])
        table = np.load(files / "our_vab_data.npy")
        rows = [0, 3, 4, 5, 6, 2, 3, 1] + [2] * 14  # sos, the words, unk for zigzag, a, eos, padding
        np.testing.assert_allclose(vectors, table[[len(WORDS) - 1 - row for row in rows]], rtol=1e-6)
        # DET, NOUN, and walk and slowly have classes of their own; what is unknown is OTHER
        assert classes.argmax(1).tolist() == [14, 2, 1, 12, 13, 14, 14, 14] + [14] * 14
        assert (length, classes.sum()) == (8, 22)

    def test_long_sentences_are_cut(self, words):
        vectors, _, length = words(["walk/VERB"] * 50)
        assert (length, len(vectors)) == (22, 22)
        np.testing.assert_array_equal(vectors[21], words(["a/DET"])[0][2])  # eos

    def test_padding_does_not_count(self, evaluator, words):
        short, long = words(["a/DET", "man/NOUN"]), words(["walk/VERB"] * 12)
        table = evaluator.embed_words(*(np.stack(pair) for pair in zip(short[:2], long[:2], strict=True)), [4, 14])
        alone = evaluator.embed_words(short[0][None, :4], short[1][None, :4], [4])
        np.testing.assert_allclose(table[0], alone[0], atol=1e-6)

    def test_bad_tokens(self, words):
        with pytest.raises(MotionLLMError, match="not 'word/CLASS'"):
            words(["a", "man/NOUN"])


def test_it_scores_in_the_place_of_the_own_evaluator(evaluator, words, golden):
    clips = [clip["features"] for clip in golden.values()][:12]
    captions = [f"motion {index}" for index in range(12)]
    sentences = ["a/DET man/NOUN walk/VERB", "man/NOUN slowly/ADV", "walk/VERB"]
    judge = T2MJudge(evaluator, words, {caption: sentences[i % 3] for i, caption in enumerate(captions)})
    scores = score_motions(judge, [clips], captions, clips, repeats=2, pool=12)
    assert scores["fid"].mean == pytest.approx(0, abs=1e-6)
    assert {"r_precision_top3", "mm_dist", "diversity", "jerk"} <= scores.keys()
    with pytest.raises(MotionLLMError, match="no tokens for the sentence 'new'"):
        judge(clips[:1], ["new"])


class TestSafety:
    def test_a_pickle_with_code_is_refused_and_not_run(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "ran"),))

        for number, value in enumerate((Evil(), [Evil()], {"a": Evil()}, np.float64(1), {1, 2})):
            path = tmp_path / f"{number}.pkl"
            path.write_bytes(pickle.dumps(value))
            with pytest.raises(MotionLLMError, match=r"is not read|does not hold"):
                load_plain_pickle(path, list, (str,))
        assert not (tmp_path / "ran").exists()

    def test_plain_values_of_the_wrong_kind(self, tmp_path):
        path = tmp_path / "x.pkl"
        for value in ({"a": 1}, ["a", 1], "a", {"a": "b"}, [["a"]]):
            path.write_bytes(pickle.dumps(value))
            with pytest.raises(MotionLLMError, match="does not hold a list of str"):
                load_plain_pickle(path, list, (str,))
        path.write_bytes(b"no pickle at all")
        with pytest.raises(MotionLLMError, match="is not read"):
            load_plain_pickle(path, list, (str,))
        with pytest.raises(MotionLLMError, match="is not read"):
            load_plain_pickle(tmp_path / "absent.pkl", list, (str,))

    def test_a_checkpoint_with_code_is_refused_and_not_run(self, tmp_path, files):
        class Evil:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "ran"),))

        torch.save({"movement_encoder": Evil()}, tmp_path / "finest.tar")
        with pytest.raises(MotionLLMError, match="T2M evaluator is not read"):
            T2MEvaluator.from_files(tmp_path / "finest.tar", files / "mean.npy", files / "std.npy")
        assert not (tmp_path / "ran").exists()

    def test_weights_that_do_not_fit(self, tmp_path, files):
        with pytest.raises(MotionLLMError, match="does not hold the T2M evaluator"):
            T2MEvaluator.from_files(files / "finest.tar", files / "mean.npy", files / "std.npy")  # of another size
        torch.save({"movement_encoder": {}}, tmp_path / "finest.tar")
        with pytest.raises(MotionLLMError, match="does not hold the T2M evaluator"):
            T2MEvaluator.from_files(tmp_path / "finest.tar", files / "mean.npy", files / "std.npy")
        with pytest.raises(MotionLLMError, match="is not read"):
            T2MEvaluator.from_files(tmp_path / "absent.tar", files / "mean.npy", files / "std.npy")
