"""Proposals: requests for a decision, as tags in repos of the engine's own, which are the only truth about them.

`asking` makes them, `deciding` decides, `claims` is what a deploy reads and plants, `telling` what people ask.
`records` knows the messages, `shelf` where the tags are and what state they add up to, `announce` tells people.

    pending ──► approved ──► building ──► deployed | failed
       ├──────► denied
       └──────► withdrawn
"""

from .asking import request_spawn, submit
from .claims import (
    Claim,
    building_of,
    claim_of,
    leftovers,
    mark_building,
    mark_deployed,
    mark_failed,
    spawns_unfinished,
    unfinished,
    unmark_building,
)
from .deciding import approve, deny, plan_rollback, withdraw
from .records import BuildRecord
from .shelf import highest_id
from .telling import find, history, listing, running

__all__ = [
    "BuildRecord",
    "Claim",
    "approve",
    "building_of",
    "claim_of",
    "deny",
    "find",
    "highest_id",
    "history",
    "leftovers",
    "listing",
    "mark_building",
    "mark_deployed",
    "mark_failed",
    "plan_rollback",
    "request_spawn",
    "running",
    "spawns_unfinished",
    "submit",
    "unfinished",
    "unmark_building",
    "withdraw",
]
