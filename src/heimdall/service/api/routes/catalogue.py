"""What a job may name: recipes with their fields, and scenarios."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from heimdall.recipes import RECIPES, Recipe, fields_of
from heimdall.scenarios import SCENARIO_SUMMARIES
from heimdall.service.api.dependencies import Viewer
from heimdall.service.api.http.problems import documented

router = APIRouter(tags=["jobs"], responses=documented(401, 403, 422, 503))


class FieldView(BaseModel):
    name: str = Field(description="Name of the field, as written in `overrides`.", examples=["optimizer.lr"])
    type: str = Field(description="Type of the field, as in JSON Schema.", examples=["number"])
    default: Any = Field(description="Value of the field in the recipe.", examples=[0.001])
    minimum: float | None
    maximum: float | None
    open_below: bool = Field(description="Whether the minimum itself is too small.")
    open_above: bool = Field(description="Whether the maximum itself is too large.")
    description: str


class RecipeView(BaseModel):
    name: str = Field(examples=["quick"])
    purpose: str
    fields: list[FieldView]


class RecipeList(BaseModel):
    recipes: list[RecipeView]


class ScenarioView(BaseModel):
    name: str = Field(examples=["matched"])
    summary: str


class ScenarioList(BaseModel):
    scenarios: list[ScenarioView]


@router.get("/recipes", summary="List recipes, with their fields, defaults and bounds")
def list_recipes(who: Viewer) -> RecipeList:
    return RecipeList(recipes=[_view(make()) for make in RECIPES.values()])


@router.get("/scenarios", summary="List the scenarios that scenes are simulated from")
def list_scenarios(who: Viewer) -> ScenarioList:
    found = [ScenarioView(name=name, summary=summary) for name, summary in SCENARIO_SUMMARIES.items()]
    return ScenarioList(scenarios=found)


def _view(recipe: Recipe) -> RecipeView:
    settable = [FieldView(**asdict(each)) for each in fields_of(recipe) if each.name not in ("name", "purpose")]
    return RecipeView(name=recipe.name, purpose=recipe.purpose, fields=settable)
