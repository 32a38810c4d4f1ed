# The base flake of an embedded hive: two systems, agent-base and manager, that the meta flake extends. It has neither
# nixpkgs nor other inputs, so that nix evaluates it in a moment and without a network. The stand-in for nix does not
# evaluate it: it recognizes the description below, and hivetui/embedded/nix/base.py does the same in Python.
#
# These options of the merged modules are read; any other may be set and has no effect:
#   environment.variables, systemd.globalEnvironment            the environment of the agent
#   environment.etc.<name>.text                                 files below /etc
#   environment.systemPackages                                  a list of names, kept in sw/packages
#   systemd.services.<name>.{description,script,environment}    units; the embedded host names them and runs none
#   networking.hostName                                         a part of the system's name
#   lab.buildSeconds   how long the build takes          lab.fail     a message: the build fails with it
#   lab.talkSeconds    between two lines of its log      lab.broken   true: it builds, and does not come up
#   lab.exitSeconds    after which it ends with an error, and is started again
{
  description = "The base systems of an embedded hive";

  outputs = { self }:
    let
      defaults = builtins.fromJSON (builtins.readFile ./defaults.json);

      merge = a: b:
        if builtins.isAttrs a && builtins.isAttrs b then
          a // builtins.mapAttrs (name: value: if a ? ${name} then merge a.${name} value else value) b
        else if builtins.isList a && builtins.isList b then a ++ b
        else b;
      mergeAll = builtins.foldl' merge { };

      lib = {
        mkDefault = value: value;
        mkForce = value: value;
        mkIf = condition: value: if condition then value else { };
        mkMerge = mergeAll;
        optional = condition: value: if condition then [ value ] else [ ];
        optionals = condition: list: if condition then list else [ ];
        optionalString = condition: text: if condition then text else "";
        inherit (builtins) concatStringsSep;
      };

      # A package is its name and version: there is nothing behind it.
      pkgs = builtins.fromJSON (builtins.readFile ./packages.json);

      # A module is a path, a function or a set. Its imports come first; `config` is taken out of a set that has it.
      load = config: module:
        let
          value = if builtins.isAttrs module || builtins.isFunction module then module else import module;
          set = if builtins.isFunction value then value { inherit config lib pkgs; modulesPath = ./.; } else value;
          own = set.config or (builtins.removeAttrs set [ "imports" "options" "_file" "key" ]);
        in
        mergeAll (map (load config) (set.imports or [ ]) ++ [ own ]);

      evaluate = modules: let config = mergeAll (map (load config) modules); in config;

      quote = text: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] text + "'";
      lines = list: builtins.concatStringsSep "" (map (line: line + "\n") list);
      assignments = set: map (name: "${name}=${toString set.${name}}") (builtins.attrNames set);
      file = path: text: ''
        mkdir -p "$(dirname "$out"/${quote path})"
        printf %s ${quote text} > "$out"/${quote path}
      '';

      unit = name: service:
        file "units/${name}.service" (lines ([
          "[Unit]"
          "Description=${service.description or name}"
          "[Service]"
        ] ++ map (assignment: "Environment=\"${assignment}\"") (assignments (service.environment or { })) ++ [
          "ExecStart=/bin/sh /etc/hive-units/${name}.sh"
        ]))
        + file "units/${name}.sh" (service.script or "true");

      toplevel = config:
        let
          lab = defaults // (config.lab or { });
          variables = (config.systemd.globalEnvironment or { }) // (config.environment.variables or { });
          etc = config.environment.etc or { };
          services = config.systemd.services or { };
          host = config.networking.hostName or "agent";
        in
        derivation {
          name = "nixos-system-${host}-embedded";
          inherit (defaults) system;
          builder = "/bin/sh";
          PATH = "/usr/bin:/bin:/run/current-system/sw/bin";
          args = [
            "-c"
            ''
              set -eu
              echo "building the system of ${host}"
              for part in environment units etc packages init; do
                echo "@nix {\"action\":\"setPhase\",\"phase\":\"$part\"}"
                echo "making $part"
                sleep ${toString (lab.buildSeconds / 5.0)}
              done
              ${if lab ? fail then "printf '%s\\n' ${quote lab.fail} >&2; exit 1" else ""}
              mkdir -p "$out/etc" "$out/units" "$out/sw"
              ${file "env" (lines (assignments variables))}
              ${file "sw/packages" (lines (map toString (config.environment.systemPackages or [ ])))}
              ${file "talk-seconds" (toString lab.talkSeconds)}
              ${builtins.concatStringsSep "" (map (name: file "etc/${name}" (etc.${name}.text or "")) (builtins.attrNames etc))}
              ${builtins.concatStringsSep "" (map (name: unit name services.${name}) (builtins.attrNames services))}
              ${if lab ? exitSeconds then file "exit-seconds" (toString lab.exitSeconds) else ""}
              ${if lab.broken or false then ''touch "$out/broken"'' else ""}
              printf '#!/bin/sh\n# The embedded host starts its own agent process on this system.\n' > "$out/init"
              echo "the system of ${host} is built"
              exit 0  # nix 2.8 sometimes reports a builder as killed when the shell has exec'd its last command
            ''
          ];
        };

      system = modules:
        let config = evaluate modules; in
        {
          config = config // { system.build.toplevel = toplevel config; };
          extendModules = more: system (modules ++ more.modules);
        };

      harness.systemd.services.harness.description = "the agent's harness";
    in
    {
      nixosConfigurations.agent-base = system [ harness ];
      nixosConfigurations.manager = system [ harness { networking.hostName = "hm1nd"; } ];
    };
}
