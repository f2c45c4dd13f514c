"""The inspection: a person looks at a random sample of what passed, and what that says of all the rest.

``population`` says what there is, ``draw`` chooses, ``store`` remembers, ``verdicts`` reads what was judged, ``judged``
makes findings of it and ``estimate`` the figures with their ``bounds``. None of these shows anything: the pages
(``sheet``, ``card``) and their pictures (``look``, ``orient``, ``picture``) are one face, and there may be others.
"""
