"""Who may say what, where and until when: the signed, numbered key-set. Pure."""


class Keyring:
    number: int
