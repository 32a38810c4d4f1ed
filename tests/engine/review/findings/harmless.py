"""Forty changes on the shapes of real modules that draw nothing critical and nothing high."""
# ruff: noqa: E501 - a table of source text

from __future__ import annotations

from tests.engine.review.findings.corpus import BASE, Case, agent, module, new_file

_AGENT, _TOOLS, _SERVICES = (str(BASE[name]) for name in ("agent.nix", "tools.nix", "services.nix"))
_FULL_SERVICE = """\
{ config, lib, pkgs, ... }:
let
  cfg = config.services.notes;
  format = pkgs.formats.json { };
in
{
  options.services.notes = {
    enable = lib.mkEnableOption "notes";
    package = lib.mkPackageOption pkgs "notes" { };
    user = lib.mkOption { type = lib.types.str; default = "notes"; description = "The user."; };
    port = lib.mkOption { type = lib.types.port; default = 8099; };
    settings = lib.mkOption { type = format.type; default = { }; };
  };
  config = lib.mkIf cfg.enable {
    systemd.services.notes = {
      description = "Notes";
      after = [ "network.target" ];
      wantedBy = [ "multi-user.target" ];
      serviceConfig = {
        ExecStart = "${lib.getExe cfg.package} --port ${toString cfg.port}";
        User = cfg.user;
        StateDirectory = "notes";
        CapabilityBoundingSet = "";
        AmbientCapabilities = "";
        DeviceAllow = "";
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateTmp = true;
        ProtectHome = true;
        ProtectSystem = "strict";
        RestrictAddressFamilies = [ "AF_INET" "AF_INET6" ];
        SystemCallFilter = [ "@system-service" "~@privileged" ];
        MemoryMax = "512M";
        Restart = "on-failure";
      };
    };
    users.users.${cfg.user} = { isSystemUser = true; group = "notes"; home = "/state/notes"; };
    users.groups.notes = { };
  };
}
"""
_PACKAGE = """\
{ lib, stdenv, fetchFromGitHub, rustPlatform, openssl, pkg-config }:
rustPlatform.buildRustPackage rec {
  pname = "mytool";
  version = "1.2.3";
  src = fetchFromGitHub { owner = "example"; repo = pname; rev = "v${version}"; hash = "sha256-AAAA"; };
  cargoHash = "sha256-BBBB";
  nativeBuildInputs = [ pkg-config ];
  buildInputs = [ openssl ];
  meta = { description = "A tool"; license = lib.licenses.mit; };
}
"""

HARMLESS = (
    Case("a package", {"tools.nix": _TOOLS.replace("jq ", "jq fd ")}),
    Case("a package removed", {"tools.nix": _TOOLS.replace(" ripgrep", "")}),
    Case(
        "pkgs. instead of with", {"tools.nix": _TOOLS.replace("with pkgs; [ jq ripgrep ]", "[ pkgs.jq pkgs.ripgrep ]")}
    ),
    Case("nine packages", {"tools.nix": _TOOLS.replace("jq ", "jq a b c d e f g h i ")}),
    Case(
        "a comment", {"agent.nix": _AGENT.replace("{\n  imports", "{\n  # trusted-users: see nix.settings\n  imports")}
    ),
    Case("formatting", {"agent.nix": _AGENT.replace('[ "root" ]', '[\n    "root"\n  ]')}),
    Case(
        "reordered",
        {
            "agent.nix": module(
                "networking.firewall.enable = true;",
                'nix.settings.trusted-users = [ "root" ];',
                "imports = [ ./services.nix ./tools.nix ];",
                'environment.variables.EDITOR = "vim";',
            )
        },
    ),
    Case(
        "nested instead of dotted",
        {
            "agent.nix": _AGENT.replace(
                'nix.settings.trusted-users = [ "root" ];', 'nix = { settings = { "trusted-users" = [ "root" ]; }; };'
            )
        },
    ),
    Case(
        "moved to a file of its own",
        {
            "agent.nix": _AGENT.replace('  nix.settings.trusted-users = [ "root" ];\n', "").replace(
                "./tools.nix", "./tools.nix ./nix.nix"
            ),
            "nix.nix": module('nix.settings.trusted-users = [ "root" ];'),
        },
    ),
    Case(
        "file renamed",
        {"programs.nix": _TOOLS, "tools.nix": None, "agent.nix": _AGENT.replace("./tools.nix", "./programs.nix")},
        moved={"programs.nix": "tools.nix"},
    ),
    Case(
        "value named by let",
        {
            "agent.nix": _AGENT.replace("{\n  imports", 'let people = [ "root" ]; in\n{\n  imports').replace(
                '[ "root" ];\n  networking', "people;\n  networking"
            )
        },
    ),
    Case("an environment variable", agent('environment.variables.PAGER = "less -R";')),
    Case("an alias", agent('environment.shellAliases.ll = "ls -l";')),
    Case("git configured", agent("programs.git = { enable = true; lfs.enable = true; };")),
    Case("zsh", agent("programs.zsh.enable = true;")),
    Case("direnv", agent("programs.direnv = { enable = true; nix-direnv.enable = true; };")),
    Case("tmux", agent('programs.tmux = { enable = true; keyMode = "vi"; extraConfig = "set -g mouse on"; };')),
    Case("a whole service with options", {**new_file(), "extra.nix": _FULL_SERVICE}),
    Case("a service's description", {"services.nix": _SERVICES.replace('"a report"', '"the daily report"')}),
    Case("a service's script", {"services.nix": _SERVICES.replace("date >", "date -u >")}),
    Case(
        "a script that downloads",
        agent(
            'systemd.services.fetch.script = "${pkgs.curl}/bin/curl -fsSL https://example.org/data.json -o /state/data.json";'
        ),
    ),
    Case(
        "a script with pipes",
        {"bin/report": "#!/bin/sh\nset -eu\ncurl -fsS https://example.org/x | jq -r .name | sort > /state/names\n"},
    ),
    Case(
        "a timer",
        agent('systemd.timers.report = { wantedBy = [ "timers.target" ]; timerConfig.OnCalendar = "daily"; };'),
    ),
    Case(
        "postgres",
        agent('services.postgresql = { enable = true; ensureDatabases = [ "app" ]; settings.max_connections = 50; };'),
    ),
    Case(
        "nginx on localhost",
        agent('services.nginx = { enable = true; virtualHosts."localhost".root = "/state/www"; };'),
    ),
    Case("redis", agent('services.redis.servers.app = { enable = true; port = 6379; bind = "127.0.0.1"; };')),
    Case(
        "an ordinary user",
        agent('users.users.bob = { isNormalUser = true; extraGroups = [ "audio" "video" ]; shell = pkgs.zsh; };'),
    ),
    Case(
        "nix housekeeping",
        agent(
            'nix.gc = { automatic = true; dates = "weekly"; };',
            "nix.settings.auto-optimise-store = true;",
            'nix.settings.experimental-features = [ "nix-command" "flakes" ];',
        ),
    ),
    Case("time and language", agent('time.timeZone = "Europe/Berlin";', 'i18n.defaultLocale = "de_DE.UTF-8";')),
    Case("state version", agent('system.stateVersion = "24.11";')),
    Case("documentation", agent("documentation.man.enable = true;", "documentation.nixos.enable = false;")),
    Case(
        "a file in etc",
        agent(
            'environment.etc."motd".text = "hello\\n";',
            'environment.etc."app/config.json".text = builtins.toJSON { a = 1; };',
        ),
    ),
    Case("fonts", agent("fonts.packages = with pkgs; [ noto-fonts ];")),
    Case(
        "a package of its own",
        {**agent("environment.systemPackages = [ (pkgs.callPackage ./mytool.nix { }) ];"), "mytool.nix": _PACKAGE},
    ),
    Case(
        "a script as a package",
        agent(
            'environment.systemPackages = [ (pkgs.writeShellApplication { name = "hi"; runtimeInputs = [ pkgs.jq ]; text = "jq . /state/x"; }) ];'
        ),
    ),
    Case(
        "python with packages",
        agent("environment.systemPackages = [ (pkgs.python3.withPackages (ps: with ps; [ requests numpy ])) ];"),
    ),
    Case(
        "an override of its own package",
        agent("environment.systemPackages = [ (pkgs.ffmpeg.override { withX = false; }) ];"),
    ),
    Case(
        "a profile of nixpkgs",
        {
            "agent.nix": _AGENT.replace(
                "{ config, lib, pkgs, ... }", "{ config, lib, pkgs, modulesPath, ... }"
            ).replace("./tools.nix", '"${modulesPath}/profiles/minimal.nix" ./tools.nix')
        },
    ),
    Case(
        "imports by a list",
        {
            "agent.nix": _AGENT.replace(
                "[ ./tools.nix ./services.nix ]", 'map (name: ./. + "/${name}.nix") [ "tools" "services" ]'
            )
        },
    ),
    Case("a note in another language", {"NOTES.md": "# Заметки\n\nGrüße, naïve café, 10 µm, 日本語 ✔\ufe0f\n"}),
    Case("a README with CRLF", {"README.md": "# Agent\r\n\r\nHello\r\n"}),
    Case("a certificate's name", {"NOTES.md": "-----BEGIN CERTIFICATE-----\nssh-ed25519 AAAA is a public key\n"}),
    Case(
        "secrets by file",
        agent(
            'services.app.settings.passwordFile = "/run/keys/app";',
            'systemd.services.app.serviceConfig.LoadCredential = "x:/run/keys/x";',
        ),
    ),
    Case(
        "text that names options",
        {
            "NOTES.md": "Set `security.sudo.enable = true;` and nix.settings.trusted-users?\nNo: curl is fine, and so is a shell.\n"
        },
    ),
    Case(
        "assertions",
        agent(
            'assertions = [ { assertion = config.networking.firewall.enable; message = "the firewall stays on"; } ];'
        ),
    ),
    Case(
        "a trusted user removed",
        {"agent.nix": _AGENT},
        before={"agent.nix": _AGENT.replace('[ "root" ]', '[ "root" "bob" ]')},
    ),
    Case(
        "a user and group of a service",
        agent(
            "users.users.${config.services.app.user} = { isSystemUser = true; group = config.services.app.group; };",
            "users.groups.${config.services.app.group} = { };",
        ),
    ),
    Case("git with a default branch", agent('programs.git = { enable = true; config.init.defaultBranch = "main"; };')),
    Case(
        "a README with an emoji and how to install",
        {"README.md": "# Tool \U0001f468\u200d\U0001f4bb\n\n    curl -fsSL https://example.org/install | sh\n"},
    ),
    Case("time from a server", agent("services.timesyncd.enable = true;")),
    Case(
        "a map over names",
        agent('environment.etc = lib.mapAttrs (name: text: { inherit text; }) { "a.conf" = "x"; "b.conf" = "y"; };'),
    ),
    Case(
        "settings from another option",
        agent(
            "services.app.settings = config.my.settings;", "systemd.services.app.environment = config.my.environment;"
        ),
    ),
    Case(
        "a package from an input",
        {
            "tools.nix": str(BASE["tools.nix"])
            .replace("{ pkgs, ... }", "{ pkgs, inputs, ... }")
            .replace("jq ", "jq inputs.helper.packages.x86_64-linux.default ")
        },
    ),
    Case(
        "files made at boot",
        agent('systemd.tmpfiles.rules = [ "d /state/x 0755 agent agent -" "d /tmp/y 1777 root root -" ];'),
    ),
    Case(
        "a comma after the last argument",
        {
            **new_file(),
            "extra.nix": "{\n  lib,\n  pkgs,\n  ...\n}:\nlet f = {\n    a,\n    b ? 1, # one\n  }: a; in\n{\n  environment.systemPackages = [ pkgs.fd ];\n}\n",
        },
    ),
    Case(
        "files with computed names",
        agent(
            'environment.etc = lib.mapAttrs\' (name: text: lib.nameValuePair "app/${name}" { inherit text; }) config.my.files;'
        ),
    ),
)
