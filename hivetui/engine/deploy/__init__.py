"""Deploying an approved commit in nine durable steps, under the agent's lock.

`steps` has one function a step, `deploy` runs them in order and rolls back on failure, `settle` finishes or fails a
deploy that a kill interrupted. A kill can hit anywhere; what it leaves is recognized by what is on disk:

    step      durable write                                          after a kill here, `settle`
    ------    ---------------------------------------------------    ------------------------------------------------
    claim     none: it checks `approved/<id>`, which the approval    fails it as interrupted, or resumes at `claim`
              created before the deploy was started                  (setting deploy.interrupted)
    record    tag `building/<id>`: the previous system, whether      as above
              it ran, meta's HEAD, `main`
    build     out-link of the candidate system in the roots          as above
    stop      .conf, limits drop-in and mount sources of the         as above; when it fails it, it also starts the
              agent; then the container is stopped                   container again if it ran before
    switch    profile symlink of the container, by one rename        resumes at `health`
    health    none: the container is started, and stopped again      resumes at `health`; if that fails, it restores
              if it did not run before                               the previous system and fails it
    meta      commit in meta that locks the agent at the commit      as above; `meta` is repeated, which changes nothing
    main      compare-and-swap of `main` in applied: the commit      resumes at `meta`, and only forward
              point, after which nothing is rolled back
    end       tag `deployed/<id>`; then `building/<id>` is removed   removes `building/<id>`

Where the candidate is the system that the agent has already, running if it ran, and its files are as the engine would
write them, nothing is stopped or started, unless the approval asks for a restart: the record has the step `no change`
in place of `stop`, `switch` and `health`, and `deployed/<id>` says that the system was kept. Since the profile is then
the candidate's from the beginning, a kill between `build` and `main` resumes at `stop`, which looks again: after a
reboot the agent is started.

Between `stop` and `switch` nothing is written: the container is down and its profile is still the previous system.

Every step can be repeated and reads the state from disk instead of remembering it. No two writes are assumed to happen
together. Up to `main`, a failure or a cancel restores the previous system and creates `failed/<id>`.
"""
