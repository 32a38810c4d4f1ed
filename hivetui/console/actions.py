"""The one table of actions: id, default keys, label, tooltip, tier.

The bindings of every screen and dialog, the line of keys, the help screen and the command palette come from it; a test
compares the table in docs/settings.md with it. Default keys must survive SSH, tmux and 80x24: no Alt, no function keys,
no ctrl-s or ctrl-q, and ctrl-b, the prefix of tmux, only beside another key.
"""

from __future__ import annotations

from dataclasses import dataclass

from hivetui.engine.model.acts import Tier, tier_of


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an operator can do. `keys` are Textual's names; `id` is `group.method` and public."""

    id: str
    keys: str
    label: str
    tooltip: str
    tier: Tier = Tier.IMMEDIATE
    in_footer: bool = True

    @property
    def group(self) -> str:
        """The first part of the id: a screen, a kind of dialog, or what several screens share."""
        return self.id.partition(".")[0]

    @property
    def method(self) -> str:
        """The name of the action method without `action_`."""
        return self.id.partition(".")[2]


SCREEN_GROUPS: dict[str, tuple[str, ...]] = {
    "agents": ("agents", "list"),
    "proposals": ("proposals", "list"),
    "review": ("review", "search", "view", "list"),
    "operations": ("operations", "list"),
    "operation": ("operation", "search", "view", "list"),
    "logs": ("logs", "search", "view", "list"),
    "history": ("history", "list"),
    "warnings": ("warnings", "list"),
    "hives": ("hives", "all", "list"),
    "all-agents": ("all", "list"),
    "all-proposals": ("all", "list"),
    "help": ("list",),
}
"""The groups of actions that a screen binds, besides those that work everywhere; its own first."""


def _hidden(name: str, keys: str, label: str, tooltip: str, tier: Tier = Tier.IMMEDIATE) -> Action:
    """An action that is not in the line of keys."""
    return Action(name, keys, label, tooltip, tier, in_footer=False)


ACTIONS: tuple[Action, ...] = (
    # everywhere
    Action("everywhere.help", "question_mark", "help", "Every key of this screen and what it does"),
    _hidden("everywhere.palette", "ctrl+p,colon", "commands", "Every action by name"),
    _hidden("everywhere.back", "escape", "back", "Leave this screen or the search"),
    Action("everywhere.quit", "q", "quit", "Close this view; at home, the console: operations keep running"),
    _hidden("everywhere.exit", "Q", "quit", "Close the console from any view; operations keep running"),
    _hidden("everywhere.theme", "ctrl+t", "theme", "Next theme: dark, light, colour-blind"),
    _hidden("everywhere.suspend", "ctrl+z", "suspend", "Return to the shell; fg resumes the console"),
    _hidden("everywhere.agents", "1", "agents", "Every agent and its state"),
    _hidden("everywhere.proposals", "2", "proposals", "Pending proposals"),
    _hidden("everywhere.operations", "3", "operations", "Running and ended operations"),
    _hidden("everywhere.logs", "4", "logs", "Logs of every running agent"),
    _hidden("everywhere.history", "5", "history", "Every deploy"),
    _hidden("everywhere.warnings", "6", "warnings", "Problems of the hive, each with its fix"),
    _hidden("everywhere.hives", "0", "hives", "Every hive of this console, how it is connected, and what it needs"),
    # lists: the same in every table and view
    _hidden("list.down", "j,down", "down", "Next row"),
    _hidden("list.up", "k,up", "up", "Previous row"),
    _hidden("list.page_down", "pagedown,ctrl+d,ctrl+f", "page down", "Scroll a page down"),
    _hidden("list.page_up", "pageup,ctrl+u,ctrl+b", "page up", "Scroll a page up"),
    _hidden("list.first", "g,home", "first", "Go to the beginning"),
    _hidden("list.last", "G,end", "last", "Go to the end"),
    Action("list.open", "enter", "open", "Open the selected row"),
    Action("list.filter", "slash", "filter", "Show only rows that contain a text"),
    _hidden("list.sort", "S", "sort", "Sort by the next column"),
    _hidden("list.reverse", "I", "reverse", "Reverse the sort order"),
    # agents
    Action("agents.review", "p", "review", "Review the oldest pending proposal of this agent"),
    Action("agents.logs", "l,L", "logs", "Log of this agent, or of the marked ones"),
    Action("agents.mark", "space", "mark", "Mark or unmark this agent; actions apply to all marked ones"),
    Action("agents.start", "s", "start", "Start the container"),
    Action("agents.stop", "x", "stop", "Stop the container", tier_of("stop")),
    Action("agents.restart", "r", "restart", "Restart the container", tier_of("restart")),
    Action("agents.rebuild", "b", "rebuild", "Rebuild the deployed commit, restart if it differs", tier_of("rebuild")),
    Action("agents.spawn", "c", "spawn", "Create an agent", tier_of("spawn")),
    Action("agents.operation", "o", "operation", "Show the running or last operation of this agent"),
    _hidden("agents.web", "w", "web page", "Show and copy the address of this agent's web page"),
    _hidden("agents.shell", "exclamation_mark", "shell", "Open a shell in the container of this agent"),
    _hidden("agents.history", "h", "history", "Show the deploys of this agent"),
    _hidden("agents.fold", "z", "destroyed", "Show or hide destroyed agents whose data is kept"),
    _hidden("agents.detail_down", "J", "detail down", "Scroll the detail down"),
    _hidden("agents.detail_up", "K", "detail up", "Scroll the detail up"),
    _hidden("agents.destroy", "D", "destroy", "Remove the container; repos and state are kept", tier_of("destroy")),
    _hidden("agents.purge", "P", "purge", "Destroy, and delete repos and state, of all marked ones", tier_of("purge")),
    # proposals
    Action("proposals.mark", "space", "mark", "Mark or unmark it; deny and withdraw apply to all marked ones"),
    Action("proposals.deny", "d", "deny", "Deny it, or all marked ones, with a note", tier_of("deny")),
    Action("proposals.state", "f", "state", "Filter by state"),
    Action("proposals.agent", "A", "this agent / all", "Show only the proposals of this agent, or those of all agents"),
    Action("proposals.withdraw", "X", "withdraw", "Close without a decision", tier_of("withdraw")),
    Action("proposals.retry", "r", "retry", "Propose again what has ended, and open its review", tier_of("retry")),
    # review
    Action("review.approve", "a", "approve", "Build and deploy it", tier_of("approve")),
    Action("review.deny", "d", "deny", "Deny it, with a note", tier_of("deny")),
    Action("review.note", "c", "note", "Choose a line, then write a note on it, which a denial sends"),
    Action("review.since", "s", "since denial", "Switch between what changed since the denial, and what runs now"),
    Action("review.retry", "r", "retry", "Propose again what has ended, and open its review", tier_of("retry")),
    Action("review.findings", "F", "findings", "What rules found, by severity; critical ones are acknowledged there"),
    Action("review.next_hunk", "right_square_bracket", "next change", "Next change"),
    Action("review.viewed", "v", "viewed", "Mark this file as viewed and go to the next"),
    Action("review.next_file", "right_curly_bracket,tab", "next file", "Next file"),
    Action("review.next_cut", "z", "read cut", "Open what is cut and was not read, one text after the other"),
    Action("review.effect", "E", "effect", "Show or hide what it would do: options, packages, units, work"),
    Action("review.preview", "p", "preview", "Find out what it would do: evaluate and build it, deploy nothing"),
    _hidden("review.go_to_option", "o", "option", "Go to the line of the error, or to one that sets a changed option"),
    Action("review.commits", "m", "messages", "Read the full message and each commit"),
    Action("review.files", "t", "files", "Move in the list of files; the diff follows"),
    Action("review.base", "B", "base", "Compare with another commit than the running one"),
    Action("review.next_proposal", "greater_than_sign", "next proposal", "Review the next pending proposal"),
    _hidden("review.previous_proposal", "less_than_sign", "previous proposal", "Review the previous pending proposal"),
    _hidden("review.previous_hunk", "left_square_bracket", "previous change", "Previous change"),
    _hidden("review.previous_file", "left_curly_bracket,shift+tab", "previous file", "Previous file"),
    _hidden("review.more_context", "plus", "more context", "More lines around each change"),
    _hidden("review.less_context", "minus", "less context", "Fewer lines around each change"),
    _hidden("review.whitespace", "W", "whitespace", "Show or hide whitespace changes"),
    _hidden("review.sides", "u", "side by side", "Unified or side by side (from 140 columns)"),
    _hidden("review.wrap", "w", "wrap", "Wrap or cut long lines"),
    _hidden("review.left", "h,left", "left", "Scroll left"),
    _hidden("review.right", "l,right", "right", "Scroll right"),
    # every view of a long text
    _hidden("view.forward", "space", "page down", "Scroll a page down"),
    # search in a view
    Action("search.find", "slash", "search", "Search for a regular expression"),
    _hidden("search.next", "n", "next", "Next match"),
    _hidden("search.previous", "N", "previous", "Previous match"),
    # operation
    Action("operation.cancel", "X", "cancel", "Cancel it and end its processes", tier_of("cancel")),
    Action("operation.retry", "r", "retry", "Propose its commit again, or do the same again", Tier.ASKS),
    Action("operation.next_error", "e", "next error", "Next line with an error"),
    Action("operation.commands", "i", "commands", "Show or hide the commands that were run"),
    _hidden("operation.whole_log", "z", "whole log", "Give the log the whole screen, or show steps and progress again"),
    Action("operation.follow", "F", "follow", "Go to the end and follow new lines"),
    _hidden("operation.review", "p", "review", "Review of its proposal, at the line that its error names"),
    Action("operation.log", "L", "agent log", "Log of the agent"),
    _hidden("operation.wrap", "w", "wrap", "Wrap or cut long lines"),
    _hidden("operation.left", "h,left", "left", "Scroll left"),
    _hidden("operation.right", "l,right", "right", "Scroll right"),
    _hidden("operation.copy", "y", "copy", "Copy the visible lines to the clipboard (OSC 52)"),
    # operations
    Action("operations.state", "f", "show/hide ended", "Show or hide ended operations"),
    Action("operations.cancel", "X", "cancel", "Cancel it and end its processes", tier_of("cancel")),
    Action("operations.retry", "r", "retry", "Propose its commit again, or do the same again", Tier.ASKS),
    # logs
    Action("logs.freeze", "F", "freeze", "Freeze the view, or follow again"),
    Action("logs.filter", "ampersand", "filter", "Show only lines that match a regular expression"),
    _hidden("logs.invert", "exclamation_mark", "invert", "Show the lines that do not match"),
    Action("logs.tail", "t", "tail", "Choose how many lines, or since when"),
    Action("logs.agents", "A", "agents", "Choose the agents"),
    Action("logs.wrap", "w", "wrap", "Wrap or cut long lines"),
    _hidden("logs.left", "h,left", "left", "Scroll left"),
    _hidden("logs.right", "l,right", "right", "Scroll right"),
    _hidden("logs.times", "T", "times", "Show or hide timestamps"),
    _hidden("logs.sources", "O", "sources", "Show or hide the column of agents"),
    _hidden("logs.select", "v", "select", "Select lines: moving extends the selection, which can be copied"),
    Action("logs.copy", "y", "copy", "Copy the selected or visible lines to the clipboard (OSC 52)"),
    Action("logs.save", "s", "save", "Save the filtered lines to a file"),
    # history
    Action("history.rollback", "R", "roll back", "Deploy this commit again", tier_of("rollback")),
    Action("history.retry", "r", "retry", "Propose a failed deploy again, and open its review", tier_of("retry")),
    Action("history.outcome", "f", "outcome", "Filter by outcome: active, inactive, deployed, failed"),
    Action("history.days", "t", "days", "Filter by date: the last day, 7 days, 30 days"),
    _hidden("history.utc", "U", "UTC / local", "Show times in UTC, or in local time"),
    Action("history.agent", "A", "this agent / all", "Show only the deploys of this agent, or those of all agents"),
    # warnings
    Action("warnings.fix", "a", "apply fix", "Apply the fix, or show how to", Tier.ASKS),
    # several hives
    Action("hives.connect", "C", "(dis)connect", "Connect to this hive, or disconnect, without going there"),
    Action("all.show_agents", "A", "all agents", "The agents of all connected hives in one list"),
    Action("all.show_proposals", "p", "all proposals", "The pending proposals of all connected hives in one list"),
    # the line at the bottom of a screen that a filter or search is typed into
    _hidden("prompt.submit", "enter", "accept", "Accept the typed text"),
    # dialogs
    _hidden("dialog.leave", "escape", "cancel", "Close any dialog without an answer"),
    _hidden("dialog.details_down", "pagedown", "page down", "Scroll the details of a question down"),
    _hidden("dialog.details_up", "pageup", "page up", "Scroll the details of a question up"),
    _hidden("dialog.confirm", "y", "yes", "Answer a question with yes"),
    _hidden("dialog.refuse", "n,enter,q", "no", "Answer a question with no"),
    _hidden("dialog.submit", "enter", "submit", "Submit the typed text"),
    _hidden("dialog.close", "q", "cancel", "Close a list without a choice"),
    _hidden("dialog.next", "j,down", "next", "Next row of a list"),
    _hidden("dialog.previous", "k,up", "previous", "Previous row of a list"),
    _hidden("dialog.page_down", "pagedown,ctrl+d,ctrl+f", "page down", "Scroll a list a page down"),
    _hidden("dialog.page_up", "pageup,ctrl+u,ctrl+b", "page up", "Scroll a list a page up"),
    _hidden("dialog.first", "g,home", "first", "First row of a list"),
    _hidden("dialog.last", "G,end", "last", "Last row of a list"),
    _hidden("dialog.mark", "space", "mark", "Mark or unmark a row of a list"),
    _hidden("dialog.mark_all", "a", "all / none", "Mark all rows of a list, or none"),
    _hidden("dialog.choose", "enter", "select", "Choose the selected row, or the marked ones", Tier.ASKS),
    # the dialog in which texts are read one by one
    _hidden("pages.close", "q,m,enter", "close", "Close the messages"),
    _hidden("pages.next", "j,down,right_square_bracket,n", "next", "Next message"),
    _hidden("pages.previous", "k,up,left_square_bracket,N", "previous", "Previous message"),
    _hidden("pages.page_down", "space,pagedown,ctrl+d,ctrl+f,J", "page down", "Scroll the message down"),
    _hidden("pages.page_up", "pageup,ctrl+u,ctrl+b,K,b", "page up", "Scroll the message up"),
    _hidden("pages.first", "g,home", "first", "First message"),
    _hidden("pages.last", "G,end", "last", "Last message"),
    # the dialog that opens what is cut in a review
    _hidden("cuts.read_on", "z,space", "read on", "Scroll down; at the end open the next text, after the last close"),
    _hidden("cuts.next", "right_square_bracket,n", "next", "Next text that is cut"),
    _hidden("cuts.previous", "left_square_bracket,N", "previous", "The text that is cut before this one"),
    _hidden("cuts.down", "j,down", "down", "Scroll down"),
    _hidden("cuts.up", "k,up", "up", "Scroll up"),
    _hidden("cuts.page_down", "pagedown,ctrl+d,ctrl+f", "page down", "Scroll a page down"),
    _hidden("cuts.page_up", "pageup,ctrl+u,ctrl+b", "page up", "Scroll a page up"),
    _hidden("cuts.first", "g,home", "first", "Go to the beginning of the text"),
    _hidden("cuts.last", "G,end", "last", "Go to the end of the text"),
    _hidden("cuts.close", "q,enter", "close", "Close, and go to the line of the text"),
    # the dialog that lists findings
    _hidden(
        "findings.acknowledge", "space", "acknowledge", "Acknowledge the selected critical finding, or take it back"
    ),
    _hidden("findings.go", "enter", "go to line", "Go to the line of the selected finding"),
    _hidden("findings.close", "q,F", "close", "Close the findings"),
    _hidden("findings.next", "j,down,n", "next", "Next finding"),
    _hidden("findings.previous", "k,up,N", "previous", "Previous finding"),
    _hidden("findings.page_down", "pagedown,ctrl+d,ctrl+f,J", "page down", "Scroll the finding down"),
    _hidden("findings.page_up", "pageup,ctrl+u,ctrl+b,K", "page up", "Scroll the finding up"),
    _hidden("findings.first", "g,home", "first", "First finding"),
    _hidden("findings.last", "G,end", "last", "Last finding"),
)
CHANGING = frozenset(
    one.id
    for one in ACTIONS
    if (one.tier is not Tier.IMMEDIATE and one.group != "dialog")
    or one.method == "retry"
    or one.id in ("agents.start", "agents.spawn", "review.note", "review.preview")
)
"""The ids of what changes something, which is not for those who may only look."""
