{
  description = "hivetui: a terminal console for a hive of coding agents";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      runtime = python: [
        python.asyncssh
        python.dulwich
        python.google-re2
        python.pydantic
        python.textual
        python.tree-sitter
        python.tree-sitter-grammars.tree-sitter-nix
      ];
    in
    {
      packages = each (pkgs: {
        default = pkgs.python3Packages.buildPythonApplication {
          pname = "hivetui";
          version = "0.1.0";
          pyproject = true;
          src = self;
          build-system = [ pkgs.python3Packages.hatchling ];
          dependencies = runtime pkgs.python3Packages;
          # git, bubblewrap and setpriv are for the engine; nix, nixos-container and systemd are the host's own
          makeWrapperArgs = [ "--suffix PATH : ${pkgs.lib.makeBinPath [ pkgs.git pkgs.bubblewrap pkgs.util-linux ]}" ];
          doCheck = false; # the suite starts servers and wants a terminal; `make check` runs it
          pythonImportsCheck = [ "hivetui.cli" ];
          meta.mainProgram = "hivetui";
        };
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.bubblewrap
            pkgs.git
            pkgs.gnumake
            pkgs.nix
            pkgs.python3
            pkgs.tmux
            pkgs.uv
          ];
        };
      });
    };
}
