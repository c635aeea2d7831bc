"""Recipes: everything that fixes a training, typed; a recipe is a function that returns one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from heimdall.errors import InputError
from heimdall.scenarios import check_scenario
from heimdall.validation.complaints import complaint

_LEAST_AFTER_STEM = 8
_BACKBONE = re.compile(
    r"convnext(v2)?_(zepto|atto|femto|pico|nano|tiny|small|base|large|xlarge|xxlarge|huge)(_[a-z]+)*(\.[a-z0-9_]+)?"
)
_DOCUMENTED = ConfigDict(use_attribute_docstrings=True)
Count = Annotated[int, Field(ge=1, le=10**9)]
"""More than any machine gets through; what is beyond is a slip of the keyboard, not a training."""
Width = Annotated[int, Field(ge=1, le=10_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_MISMATCHED = (
    "clustered-blocking",
    "wrong-clocks",
    "faulty-receiver",
    "unknown-noise",
    "second-transmitter",
    "wide-echoes",
    "antenna-pattern",
    "level-errors",
    "rough-receivers",
    "no-clocks",
    "unknown-site",
)


@with_config(_DOCUMENTED)
@dataclass(frozen=True)
class NetworkPlan:
    """Which ConvNeXt, and how it is fitted to the window."""

    backbone: str = "convnext_atto"
    """One of timm's ConvNeXt."""
    cells: Annotated[int, Field(ge=8, le=512)] = 24
    """Cells of the window along each side."""
    stem_stride: Annotated[int, Field(ge=1, le=8)] = 2
    decoder_width: Width = 32
    token_width: Width = 64
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pretrained: bool = False
    """Start from the weights that timm's hub has under the backbone's name."""

    def __post_init__(self) -> None:
        # Any other name that timm knows may be an address of somebody's weights.
        if not _BACKBONE.fullmatch(self.backbone):
            raise ValueError(f"no backbone {self.backbone!r}: take one of timm's ConvNeXt, such as convnext_tiny")
        # Three stages halve what the stem leaves, and the last one must have something to see.
        if self.cells % self.stem_stride or self.cells < _LEAST_AFTER_STEM * self.stem_stride:
            raise ValueError(
                f"{self.cells} cells with a stem of {self.stem_stride}: take a multiple of it, at least {_LEAST_AFTER_STEM} times"
            )


@with_config(_DOCUMENTED)
@dataclass(frozen=True)
class ScenePlan:
    """Which scenes are simulated, how many at a time, and how often each is shown."""

    scenarios: dict[str, float] = field(default_factory=lambda: {"matched": 1.0})
    """Names and shares."""
    pool: Count = 4096
    """Scenes simulated before they are trained on; the next pool replaces them all."""
    passes: Count = 8
    """How often each scene of a pool is shown, every time rotated and mirrored anew."""
    recorded_share: Share = 0.5
    """Share of each batch that is drawn from recordings, if there are any to train on."""
    validation: Count = 256
    calibration: Count = 2048
    """Held-out scenes that fix the regions."""
    calibration_scenarios: dict[str, float] = field(default_factory=lambda: {"matched": 1.0})

    def __post_init__(self) -> None:
        for name in (*self.scenarios, *self.calibration_scenarios):
            check_scenario(name)


@with_config(_DOCUMENTED)
@dataclass(frozen=True)
class OptimizerPlan:
    """AdamW with a linear warm-up and a cosine to zero."""

    lr: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    warmup: Share = 0.05
    """Share of the steps."""
    clip_norm: Positive = 1.0


@with_config(_DOCUMENTED)
@dataclass(frozen=True)
class Recipe:
    """A training, complete: the same recipe and seed give the same weights on the same kind of machine."""

    name: str
    purpose: str
    steps: Count
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    """Scenes an optimiser step, whatever the memory: accumulation makes up for smaller micro-batches."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    gpu_precision: Literal["bf16-mixed", "16-mixed", "32-true"] = "bf16-mixed"
    """On a GPU; a CPU trains in 32 bits."""
    checkpoint_every_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 20.0
    """0: after every step."""
    validate_every: Count = 200
    """Steps between two looks at the validation scenes."""
    recompute_activations: bool = False
    """Gradient checkpointing: less memory, a third more time."""
    network: NetworkPlan = field(default_factory=NetworkPlan)
    scenes: ScenePlan = field(default_factory=ScenePlan)
    optimizer: OptimizerPlan = field(default_factory=OptimizerPlan)


def quick() -> Recipe:
    """Minutes on two cores."""
    return Recipe(
        name="quick",
        purpose="two CPU cores, some five minutes: scenes that the likelihood's own model makes",
        steps=320,
        validate_every=80,
        scenes=ScenePlan(pool=2048, passes=10, calibration=3072),
    )


def study() -> Recipe:
    """The longer run on a CPU whose figures the documentation quotes."""
    return Recipe(
        name="study",
        purpose="CPU, some hours: half of the scenes break the likelihood's assumptions",
        steps=6000,
        validate_every=500,
        scenes=_half_mismatched(pool=4096, passes=6, calibration=4096),
    )


def base() -> Recipe:
    """Hours on one card."""
    return Recipe(
        name="base",
        purpose="one GPU of 8 GB or more, some hours: ConvNeXt-Tiny on matched and mismatched scenes",
        steps=60_000,
        batch_size=128,
        validate_every=2000,
        checkpoint_every_s=120.0,
        network=NetworkPlan(backbone="convnext_tiny", cells=32, decoder_width=96, token_width=128, drop_path=0.1),
        scenes=_half_mismatched(pool=16_384, passes=4, validation=2048, calibration=8192),
        optimizer=OptimizerPlan(lr=5e-4),
    )


def large() -> Recipe:
    """ConvNeXt-Large, for a card of 24 GiB."""
    return Recipe(
        name="large",
        purpose="one GPU of 24 GB, days: ConvNeXt-Large on matched and mismatched scenes",
        steps=300_000,
        batch_size=32,
        validate_every=5000,
        checkpoint_every_s=600.0,
        network=NetworkPlan(backbone="convnext_large", cells=48, decoder_width=256, token_width=256, drop_path=0.3),
        scenes=_half_mismatched(pool=16_384, passes=2, validation=4096, calibration=16_384),
        optimizer=OptimizerPlan(lr=1e-4),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {"quick": quick, "study": study, "base": base, "large": large}


def recipe(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """The recipe of that name with some of its fields set, such as {"optimizer.lr": "3e-4"}."""
    if name not in RECIPES:
        raise InputError(f"there is no recipe named {name!r}; choose one of: {', '.join(RECIPES)}")
    values = asdict(RECIPES[name]())
    for key, text in (overrides or {}).items():
        _set(values, key, text)
    return recipe_from(values)


@dataclass(frozen=True)
class RecipeField:
    """One value of a recipe that may be changed, and what it may be."""

    name: str
    """Name with the part that it belongs to, such as `optimizer.lr`."""
    type: str
    """Type as in JSON Schema."""
    default: Any
    minimum: float | None
    maximum: float | None
    open_below: bool
    """The minimum itself is too small."""
    open_above: bool
    description: str


def fields_of(chosen: Recipe) -> list[RecipeField]:
    """All fields in their order, with the recipe's values."""
    return list(_fields(TypeAdapter(Recipe).json_schema(), "Recipe", asdict(chosen), ""))


def _fields(schema: dict[str, Any], part: str, values: Mapping[str, Any], prefix: str) -> Iterator[RecipeField]:
    properties = schema["$defs"].get(part, schema)["properties"]
    for name, value in values.items():
        said = properties[name]
        if "$ref" in said:
            yield from _fields(schema, said["$ref"].rsplit("/", 1)[-1], value, f"{prefix}{name}.")
        else:
            yield _field(said, f"{prefix}{name}", value)


def _field(said: Mapping[str, Any], name: str, value: Any) -> RecipeField:
    above, below = said.get("exclusiveMinimum"), said.get("exclusiveMaximum")
    return RecipeField(
        name,
        said["type"],
        value,
        minimum=said.get("minimum", above),
        maximum=said.get("maximum", below),
        open_below=above is not None,
        open_above=below is not None,
        description=said.get("description", ""),
    )


def recipe_with(name: str, changes: Sequence[str]) -> Recipe:
    """The recipe of that name with changes as they are typed: ["optimizer.lr=3e-4"]."""
    pairs = [change.partition("=") for change in changes]
    if any(not separator for _, separator, _ in pairs):
        raise InputError("a recipe's field is changed by FIELD=VALUE, such as optimizer.lr=3e-4")
    return recipe(name, {field: value for field, _, value in pairs})


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """A recipe from the dictionary that `dataclasses.asdict` makes of one."""
    try:
        return TypeAdapter(Recipe).validate_python(dict(values))
    except ValidationError as error:
        raise InputError(complaint(error)) from error


def _set(values: dict[str, Any], key: str, text: str) -> None:
    *path, last = key.split(".")
    place = values
    for part in path:
        place = place.get(part, {}) if isinstance(place, dict) else {}
    if not isinstance(place, dict) or last not in place:
        known = ", ".join(each.name for each in fields_of(quick()))
        raise InputError(f"a recipe has no field {key!r}; there are: {known}")
    place[last] = _parsed(text)


def _parsed(text: str) -> Any:
    """Numbers, true, false, lists and objects as JSON has them; anything else is text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _half_mismatched(**sizes: int) -> ScenePlan:
    """Trained and calibrated on the same mixture: what the regions promise, they promise where the model is wrong as well."""
    mixture = {"matched": 0.5, **{name: round(0.5 / len(_MISMATCHED), 4) for name in _MISMATCHED}}
    return ScenePlan(scenarios=mixture, calibration_scenarios=mixture, **sizes)
