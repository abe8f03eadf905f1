# The configuration that the package installs, from the one that a checkout has: the state directory of the
# service, the guides where they are installed, and neither rules nor destinations, which a site has to choose.
/^(rules|destinations):/ { isExample = 1 }
# The comment in front of the next section.
isExample && /^# [A-Z]/ { isExample = 0 }
/^stateDirectory:/ { $0 = "stateDirectory: /var/lib/segmentd" }
{ gsub(/Documentation\.docc\//, "/usr/share/doc/segmentd/guides/") }
isExample && !/^#/ && NF { $0 = "# " $0 }
{ print }
