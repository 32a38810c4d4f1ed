# Compares two evaluated systems, the old and the new one. Everything is encoded as lists that begin with a letter for
# the type, so that no value of a module can be taken for something else; notation.py decodes them.
# The stand-in for nix does not evaluate this file: it recognizes it, and embedded/nix/compare.py does the same.
old: new:
let
  inherit (builtins)
    attrNames concatMap elem filter hashString isAttrs isBool isFloat
    isFunction isInt isList isPath isString length listToAttrs map mapAttrs removeAttrs stringLength toJSON toString tryEval
    unsafeDiscardStringContext;

  maxDepth = 12;
  maxText = 65536;

  text = string:
    let plain = unsafeDiscardStringContext string; in
    if stringLength plain > maxText then [ "h" (stringLength plain) (hashString "sha256" plain) ] else [ "s" plain ];

  # What cannot be evaluated is "e"; an error that tryEval does not catch ends the evaluation of the namespace.
  encode = depth: value:
    let result = tryEval (encodeForced depth value); in if result.success then result.value else [ "e" ];

  encodeForced = depth: value:
    if value == null then [ "n" ]
    else if isBool value then [ "b" value ]
    else if isInt value || isFloat value then [ "i" value ]
    else if isString value then text value
    else if isPath value then [ "p" (toString value) ]
    else if isFunction value then [ "f" ]
    else if depth > maxDepth then [ "f" ]
    else if isList value then [ "l" (map (encode (depth + 1)) value) ]
    else if (value.type or "") == "derivation" then text' "d" (value.name or "?")
    else if value ? _type || value ? __functor then [ "f" ]
    else [ "a" (mapAttrs (name: encode (depth + 1)) value) ];

  text' = tag: string: builtins.seq string [ tag (unsafeDiscardStringContext string) ];

  isSet = value: isAttrs value && (value.type or "") != "derivation" && !(value ? _type) && !(value ? __functor);

  # The leaves of a value, each with its path.
  leaves = depth: path: value:
    let kind = tryEval (isSet value && value != { }); in
    if kind.success && kind.value && depth < maxDepth
    then concatMap (name: leaves (depth + 1) (path ++ [ name ]) value.${name}) (attrNames value)
    else [ { inherit path; value = encode depth value; } ];

  # An option of the module system; those that only the system itself sets are counted.
  optionLeaves = path: option:
    let
      defined = tryEval (option.isDefined or true);
      hidden = (option.internal or false) || (option.readOnly or false)
        || elem (option.type.name or "") [ "raw" "unspecified" "pkgs" ];
    in
    if hidden then [ { inherit path; hidden = true; } ]
    else if !defined.success then [ { inherit path; value = [ "e" ]; } ]
    else if !defined.value then [ ]
    else leaves 0 path option.value;

  walk = path: options:
    if (options._type or "") == "option" then optionLeaves path options
    else if isAttrs options then concatMap (name: walk (path ++ [ name ]) options.${name}) (attrNames options)
    else [ ];

  namespace = side: name:
    let
      set = side.${if side ? options then "options" else "config"}.${name};
      own = if name == "system" then removeAttrs set [ "build" ] else set;
    in
    if side ? options then walk [ name ] own else leaves 0 [ name ] own;

  tree = side: if side ? options then side.options else side.config;
  names = side: filter (name: name != "_module" && (name != "system" || side ? options)) (attrNames (tree side));

  keyed = list: listToAttrs (map (leaf: { name = toJSON leaf.path; value = leaf; }) list);
  get = side: name: if (tree side) ? ${name} then namespace side name else [ ];

  changesOf = name:
    let
      before = keyed (get old name);
      after = keyed (get new name);
      keys = attrNames (before // after);
      value = set: key: set.${key}.value or null;
      isHidden = key: (before.${key} or { }).hidden or false || (after.${key} or { }).hidden or false;
      shown = filter (key: !(isHidden key)) keys;
      differs = key: value before key != value after key || value after key == [ "e" ];
    in
    {
      hidden = length keys - length shown;
      changed = map
        (key: { path = (after.${key} or before.${key}).path; old = value before key; new = value after key; })
        (filter differs shown);
    };

  all = attrNames (listToAttrs (map (name: { inherit name; value = null; }) (names old ++ names new)));

  side = system:
    let
      inherit (system) config;
      toplevel = config.system.build.toplevel;
      services = config.systemd.services or { };
      units = config.systemd.units or { };
      etc = config.environment.etc or { };
    in
    {
      derivation = unsafeDiscardStringContext toplevel.drvPath;
      system = unsafeDiscardStringContext toplevel.outPath;
      packages = map (one: if isString one then text one else encode 0 one) (config.environment.systemPackages or [ ]);
      units =
        if units != { } then mapAttrs (name: unit: encode 0 (unit.text or null)) units
        else listToAttrs
          (map (name: { name = "${name}.service"; value = encode 0 services.${name}; }) (attrNames services));
      etc = mapAttrs (name: file: encode 0 { text = file.text or null; source = file.source or null; }) etc;
    };
in
{
  namespaces = all;
  changes = listToAttrs (map (name: { inherit name; value = changesOf name; }) all);
  old = side old;
  new = side new;
  # Whether the namespaces of one side can be evaluated, asked after the comparison of one has failed.
  check = {
    old = listToAttrs (map (name: { inherit name; value = builtins.deepSeq (get old name) true; }) all);
    new = listToAttrs (map (name: { inherit name; value = builtins.deepSeq (get new name) true; }) all);
  };
}
