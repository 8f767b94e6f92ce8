"""The commands: what is typed, one file a subject. What they do stands in `kitetui.tools`."""
