"""A screen with a diff and, beside it or in its place, what the change would do."""

from __future__ import annotations

from textual.containers import Horizontal

from hivetui.console.keymap import current_key
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.error_place import ErrorPlace, find_place
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.choice import ChoiceDialog
from hivetui.screens.review.contents import ReviewContents, ViewedFiles
from hivetui.screens.review.diff_screen import SIDES_WIDTH, DiffScreen
from hivetui.widgets.effect.effect_view import EffectView
from hivetui.widgets.effect.lines import EffectLine, describe_effect, place_of
from hivetui.widgets.lines.line_view import LineView

BESIDE_WIDTH = SIDES_WIDTH
"""The effect stands beside the diff on screens of at least so many columns, else in its place."""


class EffectScreen(DiffScreen):
    """Subclasses compose `beside` into their body, and call `load_effect`."""

    def __init__(self, hive: Hive, state: HiveState, contents: ReviewContents, viewed: ViewedFiles) -> None:
        super().__init__(hive, state, contents, viewed)
        self.effect_view = EffectView()
        self.beside = Horizontal(self.panes, self.effect_view, id="beside")
        self._effect_wanted: bool | None = None  # what the operator chose; None: shown where there is room
        self._preview: Operation | None = None

    def fit_to_width(self, width: int) -> None:
        """The effect stands beside the diff where there is room."""
        super().fit_to_width(width)
        self.set_class(width >= BESIDE_WIDTH, "roomy")
        self._place_effect()

    @property
    def view(self) -> LineView:
        """Keys move in the effect while it stands in the place of the diff."""
        return self.effect_view if self._is_effect_in_place else super().view

    async def load_effect(self) -> None:
        """Load what is known of the effect."""
        self.contents.effect = await self.hive.effect(self.contents.proposal_id)
        if self.is_ready:
            self._show_effect()
            self._place_effect()
            self.show_time()  # the head has a line about it
            self.refresh_bindings()

    def _show_effect(self) -> None:
        effect = self.contents.effect
        is_pending = self.contents.pending is not None
        lines = describe_effect(effect, f"{current_key('review.preview')} finds it out" if is_pending else "")
        if effect.failure is not None and (place := self._error_place) is not None:
            key = current_key("review.go_to_option")
            lines.insert(1, EffectLine(f"  {key}: go to {safe(str(place))} in the diff", "warn"))
        self.effect_view.show(lines)

    def follow_preview(self, state: HiveState) -> None:
        """Load the effect when a preview of this proposal has begun; when it has ended, the findings about it too."""
        number = self.contents.proposal_id
        previews = (one for one in state.operations if one.kind is OperationKind.PREVIEW and one.proposal == number)
        running = next(previews, None)
        if running is not None and self._preview is None:
            self.run_loading(self.load_effect, "effect")
        elif running is None and self._preview is not None:
            self.load()
        self._preview = running

    def _place_effect(self) -> None:
        is_known = self.contents.effect.state is not EffectState.NONE
        is_shown = self._effect_wanted if self._effect_wanted is not None else is_known and self.has_class("roomy")
        self.set_class(is_shown, "effect")

    def action_effect(self) -> None:
        """Show the effect, or hide it."""
        self._effect_wanted = not self.has_class("effect")
        self._place_effect()
        self.refresh_bindings()

    def action_preview(self) -> None:
        """Start the preview; its result appears here, and `3` shows how far it is."""

        def on_start(operation: Operation) -> None:
            self.notify(f"Operation {operation.id} finds out what it would do.", markup=False)
            self._effect_wanted, self._preview = True, operation
            self.contents.effect = Effect(state=EffectState.RUNNING, operation=operation.id)
            self._show_effect()
            self._place_effect()

        self.run_engine_work(self.hive.preview(self.contents.proposal_id), on_start)

    def action_go_to_option(self) -> None:
        """Go to the line of the error, or choose a changed option and go to the line that sets it."""
        if (place := self._error_place) is not None:
            self._leave_for(place.file, place.line)
            return
        options = {str(at): one for at, one in enumerate(self.contents.effect.options) if one.file and one.line}

        def on_answer(key: str | None) -> None:
            option = options.get(key or "")
            if option is not None and option.file is not None and option.line is not None:
                self._leave_for(option.file, option.line, option.side == "old")

        choices = [(key, f"{safe(one.option)}  {place_of(one)}") for key, one in options.items()]
        self.app.push_screen(ChoiceDialog("Go to the line of which option?", choices), on_answer)

    def _leave_for(self, file: str, line: int, is_old: bool = False) -> None:
        """Go to a line of the diff, and show it where the effect stands in its place."""
        if self.go_to_line(file, line, is_old) and self._is_effect_in_place:
            self.action_effect()

    @property
    def _error_place(self) -> ErrorPlace | None:
        """The line of the proposal that the error of its preview names, or that of its deploy."""
        failure, review = self.contents.effect.failure, self.contents.review
        if failure is not None and failure.file is not None and failure.line is not None:
            return ErrorPlace(failure.file, failure.line)
        return None if review is None else find_place(review.proposal.error)

    @property
    def _is_effect_in_place(self) -> bool:
        """Whether the effect stands in the place of the diff."""
        return self.has_class("effect") and not self.has_class("roomy")

    def end_innermost(self) -> bool:
        """Leave the effect where it stands in the place of the diff."""
        if super().end_innermost():
            return True
        was_in_place = self._is_effect_in_place
        if was_in_place:
            self.action_effect()
        return was_in_place

    def unavailable_reason(self, action: str) -> str | None:
        """A decided proposal is not previewed, nor one whose preview runs; without options there is none to go to."""
        if action not in ("effect", "preview", "go_to_option"):
            return None
        review, effect = self.contents.review, self.contents.effect
        if review is None:
            return self.contents.load_error or "The review is still loading."
        if review.proposal.kind is ProposalKind.SPAWN:
            return "A spawn request has no effect to show before it is approved."
        if action == "preview" and self.contents.pending is None:
            return "It is no longer pending."
        if action == "preview" and self._preview is not None:
            return f"It is being found out already (operation {self._preview.id})."
        if action == "go_to_option" and self._error_place is None and not any(one.file for one in effect.options):
            return "No error and no changed option with a place is known. Find out first what it would do."
        return None
