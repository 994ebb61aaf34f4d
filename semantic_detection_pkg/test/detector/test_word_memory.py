"""Words and examples of run time, over a new configuration and over a new process."""

import errno
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import text_encoders
import tiny_models

from ros_support_pkg.core.words import WordOrigin
from semantic_detection_pkg.common import file_system
from semantic_detection_pkg.common.file_system import FolderLock
from semantic_detection_pkg.detector.backends.configured import load_configured
from semantic_detection_pkg.detector.backends.example_store import ExampleStore
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.word_cache import WordCache
from semantic_detection_pkg.detector.backends.word_memory import WordMemory
from semantic_detection_pkg.detector.core.examples import MOST_EXAMPLES, ShownExample
from semantic_detection_pkg.detector.core.settings import DetectorNodeSettings
from semantic_detection_pkg.errors import ConfigurationError


def unit(*values):
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


BOOT = ShownExample("boot", unit(1, 0, 1), False, 7_000_000_001, 5, (1.0, 2.0, 3.5, 4.0))
NOT_BOOT = ShownExample("Boot", unit(1, 1, 0), is_negative=True)


@pytest.fixture
def model(tmp_path):
    return text_encoders.prompt_model_with_text(tmp_path)


def configure(model, memory, words=("red",)):
    """What the node does when it is configured."""
    loaded = load_detector(model, words=list(words), recall=memory.recall)
    memory.reinstate(loaded.pipeline, loaded.set_vocabulary)
    return loaded


def show(loaded, memory, example):
    """What the service does."""
    loaded.pipeline.add_example(example.name, example.embedding, is_negative=example.is_negative)
    memory.take_words(loaded.pipeline.wanted_words)
    return memory.take_example(example)


def inputs(loaded):
    return {name: one.copy() for name, one in loaded.pipeline._vocabulary.inputs.items()}


def assert_same(ours, theirs):
    for name, one in ours.items():
        np.testing.assert_array_equal(one, theirs[name])


def test_words_and_examples_are_in_force_again_after_a_new_configuration(model):
    memory = WordMemory()
    with configure(model, memory) as loaded:
        loaded.set_vocabulary(["coat=rope|boat", "Red"])
        assert show(loaded, memory, BOOT) == ""
        assert show(loaded, memory, NOT_BOOT) == ""
        names, wanted = loaded.pipeline.vocabulary, inputs(loaded)
    with configure(model, memory) as again:
        assert again.pipeline.vocabulary == names == ("coat", "red", "boot")
        assert_same(inputs(again), wanted)
    assert memory.notices == []
    assert len(memory.examples) == 2


def test_a_new_process_knows_them_and_looks_for_what_it_is_configured_for(model):
    memory = WordMemory()
    with configure(model, memory) as loaded:
        show(loaded, memory, BOOT)
        show(loaded, memory, NOT_BOOT)
        wanted = inputs(loaded)
    later = WordMemory()
    with configure(model, later) as again:
        assert again.pipeline.vocabulary == ("red",)
        again.set_vocabulary(["red", "boot"])  # as the scan says again
        assert_same(inputs(again), wanted)
    assert later.notices == ["known by example, of before: boot (1 shown, 1 of what it is not)"]
    first = later.examples[0]
    assert vars(first) | {"embedding": None} == vars(BOOT) | {"embedding": None}
    np.testing.assert_array_equal(first.embedding, BOOT.embedding)
    with configure(model, WordMemory(), words=["boot"]) as named:  # by the configuration
        assert named.pipeline.vocabulary == ("boot",)


def test_another_models_mean_nothing_and_that_is_said(tmp_path, model):
    memory = WordMemory()
    other = text_encoders.prompt_model_with_text(tmp_path, stem="other")
    path = other.with_name("other.vocabulary.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **(arrays | {"gain": 2 * arrays["gain"]}))
    with configure(model, memory) as loaded:
        show(loaded, memory, BOOT)
    with configure(other, memory) as again:
        assert again.pipeline.vocabulary == ("red", "boot")  # its encoder knows the word
        assert again.pipeline.meanings[1].origin is WordOrigin.ENCODED
    assert len(memory.notices) == 1
    assert memory.notices[0].startswith("other.onnx takes embeddings of tiny-1 ")
    assert memory.notices[0].endswith("are not looked for: boot (1 shown)")
    memory.notices.clear()
    with configure(model, memory) as back:  # beside the first they are still there
        assert back.pipeline.meanings[1].origin is WordOrigin.EXAMPLES
    assert memory.notices == ["known by example, of before: boot (1 shown)"]


def test_a_new_process_says_what_another_model_under_the_same_name_knew(model):
    memory = WordMemory()
    with configure(model, memory) as loaded:
        show(loaded, memory, BOOT)
    path = model.with_name("prompts.vocabulary.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **(arrays | {"gain": 2 * arrays["gain"]}))
    (kept,) = model.with_name("prompts.words").glob("examples_*.npz")
    (kept.parent / "examples_0.npz").write_bytes(b"none")
    with configure(model, memory):  # the process that goes on says it once, too
        assert [one.startswith("prompts.onnx takes embeddings of") for one in memory.notices] == [
            True
        ]
    later = WordMemory()
    with configure(model, later) as again:
        assert again.pipeline.vocabulary == ("red",)
    (notice,) = later.notices
    assert notice.startswith("prompts.onnx: examples of tiny-1 ")
    assert notice.endswith(f"not looked for: boot (show them again, or remove {kept})")


def test_what_the_next_model_cannot_look_for_is_said(tmp_path, model):
    memory = WordMemory()
    with configure(model, memory) as loaded:
        show(loaded, memory, BOOT)
    baked = tiny_models.save(tiny_models.colour_model("raw"), tmp_path / "baked.onnx")
    with load_detector(baked, recall=memory.recall) as again:
        known = again.pipeline.vocabulary
        memory.reinstate(again.pipeline, again.set_vocabulary)
        assert again.pipeline.vocabulary == known
    examples, words = memory.notices
    assert "baked.onnx takes no examples: examples of tiny-1 " in examples
    assert words.startswith("looked for before, and not any more: red, boot: vocabulary: 'boot'")
    assert all("\n" not in one for one in memory.notices)


def test_origins_are_told(model):
    memory = WordMemory()
    with configure(model, memory, words=["red", "coat=rope|boat"]) as loaded:
        show(loaded, memory, BOOT)
        show(loaded, memory, ShownExample("red", unit(0, 1, 1), is_negative=True))
        told = [(m.word, m.text, m.origin, m.positives, m.negatives) for m in loaded.meanings]
        assert told == [
            (0, "red", WordOrigin.PREPARED, 0, 1),
            (1, "rope", WordOrigin.ENCODED, 0, 0),
            (1, "boat", WordOrigin.ENCODED, 0, 0),
            (2, "boot", WordOrigin.EXAMPLES, 1, 0),
        ]
        assert [one.embedding is not None for one in loaded.meanings] == [False, True, True, False]
    with configure(model, WordMemory(), words=["rope", "red"]) as later:
        assert [one.origin for one in later.meanings] == [WordOrigin.CACHED, WordOrigin.PREPARED]


def test_examples_are_forgotten_by_name_or_all(model):
    memory = WordMemory()
    with configure(model, memory, words=["red"]) as loaded:
        show(loaded, memory, BOOT)
        show(loaded, memory, ShownExample("red", unit(0, 1, 1)))
        before = inputs(loaded)
        assert loaded.pipeline.forget_examples("BOOT") == ("boot",)
        assert memory.forget("BOOT") == ""
        assert loaded.pipeline.vocabulary == ("red",)
        assert [one.name for one in memory.examples] == ["red"]
        for name in ("boot", "yeti", " "):
            with pytest.raises(ConfigurationError, match="nothing was shown of"):
                loaded.pipeline.forget_examples(name)
        assert loaded.pipeline.forget_examples("") == ()
        memory.forget("")
        assert memory.examples == ()
        assert np.abs(inputs(loaded)["cls_w"] - before["cls_w"]).max() > 0.1
    assert list(model.with_name("prompts.words").glob("examples_*")) == []


def example(name, number):
    return ShownExample(name, unit(1, number, 1), shown_ns=1_000 + number)


def names_in(folder):
    return [one.name for one in ExampleStore(folder, "tiny-1").read()]


def test_two_detectors_with_one_folder_keep_the_examples_of_both(tmp_path):
    boot, rope, tent, coat = (example(name, at) for at, name in enumerate(("a", "b", "c", "d")))
    ours, theirs = ExampleStore(tmp_path, "tiny-1"), ExampleStore(tmp_path, "tiny-1")
    ours.write([boot])
    assert theirs.read()[0].name == "a"
    ours.write([boot, rope])
    theirs.write([boot, tent])  # it has never seen the rope
    assert names_in(tmp_path) == ["a", "b", "c"]

    ours.write([rope], [boot])
    assert names_in(tmp_path) == ["b", "c"]
    theirs.write([boot, tent, coat])  # still in force there, and not put back
    assert names_in(tmp_path) == ["b", "c", "d"]
    theirs.write([], [boot, tent, coat])
    assert names_in(tmp_path) == ["b"]
    ours.write([], [rope])
    assert list(tmp_path.glob("examples_*")) == []
    ours.write([rope])  # shown again
    assert names_in(tmp_path) == ["b"]


def test_what_two_robots_are_told_outlives_both(model):
    ours, theirs = WordMemory(), WordMemory()
    with configure(model, ours) as loaded, configure(model, theirs) as other:
        show(loaded, ours, BOOT)
        show(other, theirs, ShownExample("rope", unit(0, 1, 1)))
    with configure(model, ours) as loaded:  # configured anew it still forgets what it showed
        show(loaded, ours, ShownExample("tent", unit(0, 1, 1)))
        loaded.pipeline.forget_examples("boot")
        assert ours.forget("boot") == ""
    later = WordMemory()
    with configure(model, later):
        assert [one.name for one in later.examples] == ["rope", "tent"]


def test_what_lies_there_damaged_takes_nothing_known_with_it(tmp_path):
    store = ExampleStore(tmp_path, "tiny-1")
    store.write([example("a", 0)])
    store.path.write_bytes(b"none")
    store.write([example("a", 0), example("b", 1)])
    assert names_in(tmp_path) == ["a", "b"]


def test_examples_of_two_detectors_that_are_too_many_are_said(tmp_path):
    many = [example("a", number) for number in range(MOST_EXAMPLES)]
    ours, theirs = ExampleStore(tmp_path, "tiny-1"), ExampleStore(tmp_path, "tiny-1")
    ours.write(many)
    with pytest.raises(OSError, match="1000 are kept there, of other detectors, too: forget some"):
        theirs.write([example("b", 1)])
    assert set(names_in(tmp_path)) == {"a"}
    ours.write(many[1:], many[:1])
    theirs.write([example("b", 1)])
    assert names_in(tmp_path)[-1] == "b"


def test_a_detector_that_was_stopped_while_it_wrote_holds_up_no_other(model, monkeypatch):
    monkeypatch.setattr(file_system, "_TURN_S", 0.0)
    memory = WordMemory()
    with configure(model, memory) as loaded:
        folder = model.with_name("prompts.words")
        folder.mkdir(exist_ok=True)
        lock = FolderLock(folder, "detector")
        assert show(loaded, memory, BOOT) == (
            f"examples are kept only until the detector ends: {folder}: another detector uses it"
        )
        lock.release()
        assert show(loaded, memory, NOT_BOOT) == ""
    later = WordMemory()
    with configure(model, later):
        assert len(later.examples) == 2


@pytest.mark.parametrize("kind", ["examples", "word"])
def test_two_that_write_at_once_take_turns(tmp_path, monkeypatch, kind):
    """The second begins while the first is about to give the file its name."""
    if kind == "examples":
        stores = [ExampleStore(tmp_path, "tiny-1") for _ in range(2)]
        acts = [lambda: stores[0].write([BOOT]), lambda: stores[1].write([example("rope", 1)])]
    else:
        stores = [WordCache(tmp_path) for _ in range(2)]
        acts = [lambda one=one: one.write("rope", unit(1, 2, 3)) for one in stores]
    rename = stores[0]._files.rename
    waits_or_is_done = threading.Event()
    monkeypatch.setattr(
        file_system, "time",
        SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: waits_or_is_done.set()),
    )  # fmt: skip

    def write_second():
        acts[1]()
        waits_or_is_done.set()

    second = threading.Thread(target=write_second, name="second")

    def begin_second_first(source, target):
        second.start()
        assert waits_or_is_done.wait(60.0)
        rename(source, target)

    monkeypatch.setattr(stores[0]._files, "rename", begin_second_first)
    acts[0]()
    second.join(60.0)
    if kind == "examples":
        assert names_in(tmp_path) == ["boot", "rope"]
    else:
        assert not any(one._is_readonly for one in stores)
        np.testing.assert_array_equal(stores[0].read("rope"), unit(1, 2, 3))


def test_a_folder_that_cannot_be_written_is_said_and_the_memory_holds(model):
    memory = WordMemory()
    model.with_name("prompts.words").write_text("in the way of the folder")
    with configure(model, memory) as loaded:
        said = show(loaded, memory, BOOT)
        assert said.startswith("examples are kept only until the detector ends: ")
        assert "\n" not in said
        assert memory.forget("rope") != ""
        assert memory.forget("boot") == ""  # none is on the disk
        show(loaded, memory, BOOT)
    with configure(model, memory) as again:
        assert again.pipeline.vocabulary == ("red", "boot")


def test_what_the_disk_does_not_forget_is_said(model, monkeypatch):
    memory = WordMemory()
    with configure(model, memory) as loaded:
        show(loaded, memory, BOOT)

        def refuse(path, missing_ok=False):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

        monkeypatch.setattr(Path, "unlink", refuse)
        folder = model.with_name("prompts.words")
        assert memory.forget("") == (
            f"the examples are forgotten only until the detector ends: {folder}: "
            "read-only file system"
        )


@pytest.mark.parametrize("damage", ["empty", "cut", "rubbish", "another", "infinite"])
def test_a_file_that_is_none_is_said_and_forgotten(model, damage):
    memory = WordMemory()
    with configure(model, memory) as loaded:
        show(loaded, memory, BOOT)
    (path,) = model.with_name("prompts.words").glob("examples_*.npz")
    content = path.read_bytes()
    if damage in ("another", "infinite"):
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        if damage == "another":
            arrays["boxes_xyxy"] = np.zeros((1, 3), np.float32)
        else:
            arrays["embeddings"][0, 0] = np.inf
        np.savez(path, **arrays)
    else:
        kept = {"empty": 0, "cut": 200, "rubbish": len(content) - 2}[damage]
        path.write_bytes((b"PK" if damage == "rubbish" else b"") + content[:kept])
    later = WordMemory()
    with configure(model, later) as again:
        assert again.pipeline.vocabulary == ("red",)
    (notice,) = later.notices
    assert notice.startswith(f"examples {path}: ")
    assert notice.endswith("they are forgotten")
    assert "\n" not in notice
    assert later.examples == ()


def test_vectors_of_another_length_are_forgotten(model):
    """A file of the right name whose vectors the table refuses."""
    with load_detector(model) as loaded:
        space = loaded.pipeline.embedding_space
    store = ExampleStore(model.with_name("prompts.words"), space)
    store.write([ShownExample("boot", unit(1, 0, 1, 0))])
    memory = WordMemory()
    with configure(model, memory) as again:
        assert again.pipeline.vocabulary == ("red",)
        assert again.pipeline.missing_words(["boot"]) == ("boot",)
    assert any("of length 1 is needed; they are forgotten" in one for one in memory.notices)


def test_what_lowers_a_typed_word_and_all_others_outlive_the_process(model):
    """The word itself is known again only when somebody types it."""
    memory = WordMemory()
    with configure(model, memory) as loaded:
        loaded.set_vocabulary(["red", "rope"])
        show(loaded, memory, BOOT)
        show(loaded, memory, ShownExample("rope", unit(1, 1, 0), is_negative=True))
        loaded.set_vocabulary(["rope"])
        before = inputs(loaded)
    later = WordMemory()
    with configure(model, later) as again:
        (notice,) = later.notices
        assert notice.startswith("known by example, of before: boot (1 shown), rope (0 shown, 1 ")
        assert [one.name for one in later.examples] == ["boot", "rope"]
        assert again.pipeline.missing_words(["rope"]) == ("rope",)
        again.set_vocabulary(["rope"])
        assert_same(before, inputs(again))
        with pytest.raises(ConfigurationError, match="'stick' is no class yet"):
            again.pipeline.add_example("stick", unit(1, 0, 0), is_negative=True)


def test_one_that_the_model_refuses_takes_no_other_with_it(model):
    with load_detector(model) as loaded:
        space = loaded.pipeline.embedding_space
    store = ExampleStore(model.with_name("prompts.words"), space)
    store.write([BOOT, ShownExample("a=b|c", unit(1, 0, 0)), ShownExample("red", unit(0, 1, 1))])
    memory = WordMemory()
    with configure(model, memory) as again:
        assert again.pipeline.missing_words(["boot"]) == ()
    refused, known = memory.notices
    assert refused.endswith("'a=b|c' is not one plain name; 1 of 3 are forgotten")
    assert known == "known by example, of before: boot (1 shown), red (1 shown)"
    assert [one.name for one in memory.examples] == ["boot", "red"]


def test_there_is_a_limit(model):
    with load_detector(model, words=["red"]) as loaded:
        for _ in range(MOST_EXAMPLES):
            loaded.pipeline._words.show("boot", BOOT.embedding, is_negative=False)
        with pytest.raises(ConfigurationError, match="1000 are known, no more are taken"):
            loaded.pipeline.add_example("boot", BOOT.embedding)


def test_the_same_checkpoint_exported_otherwise_knows_them(tmp_path, model):
    """Vectors mean the same to it: a larger input, a fast variant, other prepared words."""
    with load_detector(model) as one:
        space = one.pipeline.embedding_space
    wider = text_encoders.prompt_model_with_text(tmp_path, capacity=20, stem="wider")
    with load_detector(wider) as other:
        assert other.pipeline.embedding_space == space


def test_words_and_examples_are_kept_where_the_settings_say(model, tmp_path):
    """A container's models are read-only."""
    kept = tmp_path / "kept"
    memory = WordMemory(str(kept))
    settings = DetectorNodeSettings(
        model=str(model), classes=("rope",), words_dir=str(kept), speed="full"
    )
    with load_configured(settings, recall=memory.recall) as configured:
        assert show(configured.loaded, memory, BOOT) == ""
    assert not model.with_name("prompts.words").exists()
    assert len(list((kept / "prompts.words").rglob("*.npz"))) == 2
    later = WordMemory(str(kept))
    with load_configured(settings, recall=later.recall) as again:
        assert again.loaded.meanings[0].origin is WordOrigin.CACHED
        assert again.loaded.set_vocabulary(["boot"]) == ("boot",)
