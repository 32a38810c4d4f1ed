from __future__ import annotations

from enum import StrEnum

from textual import on
from textual.app import App, ComposeResult

from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row
from tests.widgets.conftest import HOSTILE, Staged, assert_harmless, painted, until

COLUMNS = (
    Column("name", "NAME", 4, 9, 9),
    Column("state", "STATE", 9, 12, 8),
    Column("port", "PORT", 5, 6, 7, "right"),
    Column("note", "NOTE", 30, 60, 1),
)


def row(name: str, port: int = 8000, *, folded: bool = False, state: str = "● running") -> Row:
    return Row(name, (name, Cell(state, "good"), Cell(str(port), sort=port), "-"), folded)


def agents(*names: str) -> list[Row]:
    return [row(name, 8000 + number) for number, name in enumerate(names)]


class Listening(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.table = LineTable(COLUMNS, fold_title="kept")
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.table

    @on(LineTable.RowHighlighted)
    @on(LineTable.RowChosen)
    def hear_key(self, message: LineTable.RowHighlighted | LineTable.RowChosen) -> None:
        self.heard.append((type(message).__name__, message.key))

    @on(LineTable.SelectionChanged)
    def hear_marks(self, message: LineTable.SelectionChanged) -> None:
        self.heard.append(message.keys)


async def test_the_cursor_follows_the_key_and_not_the_place(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table):
        table.set_rows(agents("ada", "bob", "cyd"))
        table.go_to_key("bob")
        table.set_rows(agents("zoe", "yan", "cyd", "bob"))
        assert table.current == "bob"
        assert painted(table)[4].startswith("› bob")


async def test_a_cursor_whose_row_was_removed_stays_near(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table):
        table.set_rows(agents("ada", "bob", "cyd"))
        table.go_to_key("bob")
        table.set_rows(agents("ada", "cyd"))
        assert table.current == "cyd"


async def test_sorting_is_by_value_and_shown_in_the_header(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table):
        table.set_rows([row("ada", 9), row("bob", 100), row("cyd", 20)])
        table.sort("port")
        assert table.shown == ("ada", "cyd", "bob")
        assert "PORT ▲" in painted(table)[0]
        table.sort("port", reverse=True)
        assert table.shown == ("bob", "cyd", "ada")
        assert "PORT ▼" in painted(table)[0]


async def test_a_click_on_a_title_sorts_and_another_reverses(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table) as pilot:
        table.set_rows(agents("ada", "bob"))
        await pilot.click(table, offset=(4, 0))
        assert table.sorted_by == ("name", False)
        await pilot.click(table, offset=(4, 0))
        assert table.sorted_by == ("name", True)


async def test_a_filter_keeps_what_has_the_text_in_any_cell(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table):
        table.set_rows([*agents("ada", "bob"), row("old", folded=True)])
        table.filter("B")
        assert list(table.shown) == ["bob"]
        table.filter("old")
        assert list(table.shown) == ["old"]
        table.filter("")
        assert list(table.shown) == ["ada", "bob"]


async def test_folded_rows_are_counted_and_shown_on_request(stage: Staged) -> None:
    table = LineTable(COLUMNS, fold_title="kept")
    async with stage(table):
        table.set_rows([row("old", folded=True), *agents("ada"), row("older", folded=True)])
        assert "▸ kept (2)" in painted(table)[2]
        table.action_last()
        table.action_choose()
        assert table.shown == ("ada", "old", "older")
        assert "▾ kept (2)" in painted(table)[2]


async def test_a_narrow_table_leaves_out_the_least_important_column(stage: Staged) -> None:
    wide, narrow = LineTable(COLUMNS), LineTable(COLUMNS)
    async with stage(wide, size=(80, 10)):
        assert "NOTE" in painted(wide)[0]
    async with stage(narrow, size=(40, 10)):
        assert painted(narrow)[0].split() == ["NAME", "STATE", "PORT"]


async def test_marks_follow_keys_and_are_removed_with_their_rows() -> None:
    app = Listening()
    async with app.run_test() as pilot:
        app.table.set_rows(agents("ada", "bob", "cyd"))
        app.table.action_toggle_mark()
        app.table.action_toggle_mark()
        app.table.set_rows(agents("cyd", "bob"))
        await pilot.pause()
        assert app.table.marked == ("bob",)
        assert app.heard[-1] == ("bob",)
        assert painted(app.table)[2].startswith(" ●bob")


async def test_messages_name_the_row_under_the_cursor_and_the_chosen_row() -> None:
    app = Listening()
    async with app.run_test() as pilot:
        app.table.set_rows(agents("ada", "bob"))
        app.table.action_line_down()
        app.table.action_choose()
        await pilot.pause()
        assert app.heard == [("RowHighlighted", "ada"), ("RowHighlighted", "bob"), ("RowChosen", "bob")]


async def test_the_cursor_row_is_always_in_sight(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table, size=(80, 10)):
        table.set_rows(agents(*(f"a{number}" for number in range(100))))
        table.action_page_down()
        table.action_last()
        assert any(line.startswith("› a99") for line in painted(table))
        table.sort("name")
        assert any(line.startswith("› a99") for line in painted(table))


async def test_a_change_of_a_visible_row_is_painted(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table) as pilot:
        table.set_rows(agents("ada", "bob"))
        await pilot.pause()
        table.set_rows([row("ada"), row("bob", state="○ stopped")])
        await until(pilot, lambda: "stopped" in painted(table)[2])


async def test_an_empty_table_says_why(stage: Staged) -> None:
    table = LineTable(COLUMNS, empty="No agents yet.")
    async with stage(table):
        assert "No agents yet." in painted(table)[1]


async def test_hostile_cells_do_no_harm(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table, size=(120, 40)) as pilot:
        texts = [*HOSTILE, "x" * 10_000_000]
        table.set_rows(
            [Row(text[:100] + str(n), (text, Cell(text, "bad"), text, text)) for n, text in enumerate(texts)]
        )
        await pilot.pause()
        assert_harmless(table)
        assert any("U+202E" in line for line in painted(table))


async def test_a_column_is_wide_enough_for_the_tokens_of_hostile_text(stage: Staged) -> None:
    table = LineTable([Column("name", "NAME", 4, 30), Column("title", "TITLE", 4, 60)])
    table.set_rows([Row("a", ("a", "x\x1b[31m\u202eexe"))])
    async with stage(table, size=(80, 6)):
        assert "x‹U+001B›[31m‹U+202E›exe" in painted(table)[1]


NAMED = (COLUMNS[0]._replace(names=True), *COLUMNS[1:])


async def test_a_filter_that_fits_names_shows_no_row_that_has_it_elsewhere(stage: Staged) -> None:
    table = LineTable(NAMED)
    async with stage(table):
        table.set_rows(agents("olivia", "nina", "tannin"))
        table.go_to_key("olivia")
        table.filter("nin")  # also in "running"
        assert list(table.shown) == ["nina", "tannin"]
        assert table.current == "nina"
        table.filter("running")
        assert list(table.shown) == ["olivia", "nina", "tannin"]


async def test_a_filter_puts_the_cursor_on_the_best_match(stage: Staged) -> None:
    table = LineTable(NAMED)
    async with stage(table):
        table.set_rows(agents("malia", "alicia", "ali"))
        table.filter("ali")
        assert table.current == "ali"


async def test_a_cursor_that_is_wanted_goes_to_its_row_when_that_comes_unless_it_was_moved(stage: Staged) -> None:
    table = LineTable(COLUMNS)
    async with stage(table):
        table.wanted = "cyd"
        table.set_rows(agents("ada", "bob"))
        assert table.current == "ada"
        table.set_rows(agents("ada", "bob", "cyd"))
        assert table.current == "cyd"
        table.wanted = "dan"
        table.go_to_key("bob")
        table.set_rows(agents("ada", "bob", "cyd", "dan"))
        assert table.current == "bob"


async def test_a_column_without_texts_gives_its_room_to_those_that_tell_something(stage: Staged) -> None:
    columns = (
        Column("name", "NAME", 4, 9, 9),
        Column("base", "BASE MOVED", 10, 10, 8),
        Column("title", "TITLE", 10, 60, 7),
    )
    table = LineTable(columns)
    async with stage(table, size=(36, 10)):
        table.set_rows([Row("a", ("ada", "", "Add ripgrep and jq to it"))])
        assert "Add ripgrep and jq to it" in painted(table)[1]
        table.set_rows([Row("a", ("ada", "moved", "Add ripgrep and jq to it"))])
        assert "moved" in painted(table)[1]


class Code(StrEnum):
    FAILED = "agent-failed"


async def test_a_text_that_is_the_value_of_an_enum_is_shown_whole(stage: Staged) -> None:
    table = LineTable((Column("code", "CODE", 4, 40),))
    async with stage(table):
        table.set_rows([Row("a", (Code.FAILED,))])
        assert Code.FAILED in painted(table)[1]


async def test_rows_that_a_person_asked_for_are_not_cut_for_those_that_were_shown_before(stage: Staged) -> None:
    columns = (Column("title", "TITLE", 6, 60, 2), Column("note", "NOTE", 6, 60, 1))
    table = LineTable(columns)
    async with stage(table, size=(40, 10)):
        table.set_rows([Row("a", ("A title of very many words indeed", "Not on Fridays, please"))])
        table.set_rows([Row("b", ("Short", "Not on Fridays, please"))])
        assert "Not on Fridays, please" not in painted(table)[1]  # columns do not jump as rows come and go
        table.forget_widths()
        table.set_rows([Row("b", ("Short", "Not on Fridays, please"))])
        assert "Not on Fridays, please" in painted(table)[1]


async def test_a_column_with_enough_is_read_whole_before_others_are_shown(stage: Staged) -> None:
    columns = (Column("error", "ERROR", 6, 60, 2, enough=60), Column("started", "STARTED", 10, 10, 1))
    table = LineTable(columns)
    async with stage(table, size=(40, 10)):
        table.set_rows([Row("a", ("The system could not be built", "11-28 02:46"))])
        assert "The system could not be built" in painted(table)[1]
        assert list(table.shown_columns) == ["error"]
        table.forget_widths()
        table.set_rows([Row("a", ("It was ended", "11-28 2:46"))])
        assert "11-28 2:46" in painted(table)[1]
        assert list(table.shown_columns) == ["error", "started"]
