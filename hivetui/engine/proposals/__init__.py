"""Proposals: requests for a decision, as tags in repos of the engine's own, which are the only truth about them.

`submit` makes them, `decide` decides, `claims` is what a deploy reads and plants, `queries` what people ask.
`tag_messages` knows the messages, `tags` where the tags are and what state they add up to.

    pending ──► approved ──► building ──► deployed | failed
       ├──────► denied
       └──────► withdrawn
"""
