"""Proposals: requests for a decision. Annotated tags in repos that only the engine writes are the only record of them.

    pending ──► approved ──► building ──► deployed | failed
       ├──────► denied
       └──────► withdrawn

Every tag is `<name>/<id>`, is created once and is never moved. Those of an agent are in its applied repo; those of a
spawn request, whose agent does not exist yet, are in the meta repo.

    tag                         created by
    proposal/<id>               submit.pin_proposal
    approved/<id>               decide.approve and decide.approve_rollback, in decide._plant_approval
    denied/, withdrawn/<id>     decide.deny and decide.withdraw, in decide._refuse
    building/<id>               claims.mark_building, and removed again by claims.unmark_building
    deployed/, failed/<id>      claims.mark_deployed and claims.mark_failed

`tags` finds and reads the tags, `tag_messages` defines their messages, `queries` answers what people ask.
"""
