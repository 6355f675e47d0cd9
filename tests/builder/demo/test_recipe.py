"""A recipe that does not fit is refused in one line that says where."""

from pathlib import Path

import pytest

from memstudio.builder.recipe import load_recipe
from memstudio.errors import UserError
from memstudio.paths import demo_bank


def test_the_bundled_recipe_reads() -> None:
    recipe = load_recipe(demo_bank() / "recipe.yaml")
    assert recipe.name == "demo"
    assert len(recipe.memory.widths) >= 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "not a YAML recipe"),
        ("3", "not a recipe"),
        ("name: x\ncorpus: {seed: 0}\nanchor: {layers: many}", "anchor.layers"),
        ("name: x\ncorpus: {seed: 0}\nsurprise: 1", "surprise"),
        ("name: x\ncorpus: {seed: 0}\nmemory: {widths: [1]}", "memory.widths"),
        ("name: x\ncorpus: {seed: 0}\nmemory: {layers: [9]}", "memory.layers"),
        ("!!python/object/apply:os.system ['true']", "not a YAML recipe"),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        load_recipe(tmp_path / "nowhere.yaml")
