{ ... }: { environment.variables.A="1"; }
