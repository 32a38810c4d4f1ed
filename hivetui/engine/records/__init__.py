"""Records of decisions, which prove without this program who decided what, and on what.

`refs/hive/records/<id>` of the repo that has the tags of the proposal is a blob: one DSSE envelope a line, signed by
`ssh-keygen`. docs/verify.md says how to check it by hand.

    record                 statements                          written by
    0                      the tags that were there before     keeping.begin
    <id>                   gittuf's authorization, decision    keeping.write, then keeping.plant
    rebuild-<operation>    decision                            keeping.record_rebuild

A decision is written in three durable steps: the blob, the tag that names it, and the ref. A kill after the first
leaves an object that nothing refers to; after the second, repair creates the ref that the tag names.
"""
