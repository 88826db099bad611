"""Choosing packages with all they need, in the way and the order of apt 2.6.

Every rule here, and the order they are tried in, is what ``pkgDepCache::MarkInstall`` does: the
outcome has to be the same.  One differs: nothing that is installed is ever removed.
https://salsa.debian.org/apt-team/apt/-/blob/2.6.1/apt-pkg/depcache.cc
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby

from builder.debian.package import Package
from builder.debian.resolve.relations import Alternatives, Relation, source
from builder.debian.resolve.selection import Selection

_PRIORITIES = {"": 0, "required": 1, "important": 2, "standard": 3, "optional": 4}
_LOWEST_PRIORITY = 5


class Marking:
    """Marks packages in a selection.

    Args:
        selection: what is there and what is chosen; it is changed.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def mark(self, name: str, *, follow: bool = True, requested: bool = False) -> bool:
        """Choose a package's candidate.

        Args:
            name: of the package.
            follow: choose what it needs, too.
            requested: somebody asked for this very package.

        Returns:
            Whether it is there now with all it needs.  If not, it is chosen no more, unless it was
            requested or is settled; what was chosen for it may be left.

        Raises:
            PackageError: a field of a package is malformed.
        """
        selection = self._selection
        candidate = selection.candidate(name)
        if candidate is None or not (requested or self._may_change(name, candidate)):
            return False
        if name not in selection.settled and self._is_done(name, candidate):
            return True
        if follow and not self._is_possible(name, candidate):
            return False
        if requested or not follow:
            self._choose(name)
        return not follow or self._mark_with_needs(name, candidate, requested=requested)

    def _mark_with_needs(self, name: str, candidate: Package, *, requested: bool) -> bool:
        settled = name in self._selection.settled
        persist = settled or requested
        needs, clashes = self._open_relations(candidate, all_of_them=settled)
        outdated: list[str] = []
        free = self._make_way(candidate, clashes, outdated, settled=settled, persist=persist)
        if not free and not persist:
            return False
        outdated += self._outgrown(name, candidate, outdated)
        self._choose(name)
        with self._settling(name):
            self._upgrade_siblings(candidate)
            upgraded = self._upgrade(outdated, persist=persist)
            complete = (upgraded or persist) and self._mark_needs(
                needs, settled=settled, persist=persist
            )
        if not (upgraded and complete) and not persist:
            self._drop(name)
        return free and upgraded and complete

    def _may_change(self, name: str, candidate: Package) -> bool:
        selection = self._selection
        if name in selection.chosen:
            return True
        if name in selection.settled:
            return candidate is selection.now(name)
        return name not in selection.installed.held

    def _is_done(self, name: str, candidate: Package) -> bool:
        selection = self._selection
        there = candidate is selection.now(name) or name in selection.chosen
        return there and not selection.is_broken(name)

    def _is_possible(self, name: str, candidate: Package) -> bool:
        """Whether every need could be met; a package that can never be whole is given up."""
        selection = self._selection
        if candidate is selection.now(name):
            return True
        for alternatives in selection.relations(candidate).depends:
            if not (
                selection.is_met(alternatives, selection.planned)
                or selection.is_met(alternatives, selection.candidate)
            ):
                if name not in selection.settled:
                    self._drop(name)
                return False
        return True

    def _open_relations(
        self, package: Package, *, all_of_them: bool
    ) -> tuple[list[Alternatives], list[Relation]]:
        """What a package needs and clashes with, as far as something is left to do."""
        selection = self._selection
        relations = selection.relations(package)
        needs = [
            alternatives
            for alternatives in relations.depends
            if all_of_them or not selection.is_met(alternatives, selection.planned)
        ]
        clashes = [
            relation
            for relation in relations.conflicts
            if all_of_them or any(selection.clashing(package, relation, selection.planned))
        ]
        return needs, clashes

    def _make_way(
        self,
        package: Package,
        clashes: Sequence[Relation],
        outdated: list[str],
        *,
        settled: bool,
        persist: bool,
    ) -> bool:
        """Give up what a package cannot stand beside; what is outdated is to be upgraded."""
        selection = self._selection
        free, spared = True, set[str]()
        for relation in clashes:
            for other in [*selection.clashing(package, relation, selection.candidate)]:
                if selection.candidate(other.name) is other:
                    free &= self._push_aside(package, other, spared, settled=settled)
            for other in selection.clashing(package, relation, selection.now):
                if other.name in spared:
                    free = self._refuse_for(package, other)
                elif selection.candidate(other.name) is not other:
                    outdated.append(other.name)
            if not free and not persist:
                return False
        return free

    def _push_aside(
        self, package: Package, other: Package, spared: set[str], *, settled: bool
    ) -> bool:
        """See to it that another package's candidate is not taken."""
        selection, name = self._selection, other.name
        if selection.now(name) is other:
            return self._refuse_for(package, other)
        if name in selection.chosen and name in selection.settled:
            return self._refuse_for(package, other)
        selection.chosen.pop(name, None)
        if not settled:
            spared.add(name)
            return True
        selection.give_up(name, f"cannot stand beside {package}")
        if selection.now(name) is None:
            selection.settled.add(name)
        return True

    def _refuse_for(self, package: Package, other: Package) -> bool:
        where = "is installed" if self._selection.now(other.name) is other else "is chosen"
        self._selection.refused.setdefault(package.name, f"conflicts with {other}, which {where}")
        return False

    def _outgrown(self, name: str, candidate: Package, known: Sequence[str]) -> list[str]:
        """Installed packages that want the installed version of a package, not the candidate."""
        selection = self._selection
        now = selection.now(name)
        if now is None or now is candidate:
            return []
        found = {
            dependent: None
            for dependent, relation in selection.dependents.get(name, ())
            if dependent not in selection.chosen
            and selection.fits(now, relation)
            and not selection.fits(candidate, relation)
        }
        return [dependent for dependent in found if dependent not in known]

    def _upgrade_siblings(self, package: Package) -> None:
        """Upgrade what is installed of a package's source package together with it."""
        selection, built_from = self._selection, source(package)
        siblings = []
        for name in selection.siblings.get(built_from, ()):
            candidate = selection.candidate(name)
            if candidate is None or candidate is selection.planned(name) or name == package.name:
                continue
            if source(candidate) == built_from:
                siblings.append(name)
        for name in siblings:
            self.mark(name, follow=False)
        for name in siblings:
            self.mark(name)

    def _upgrade(self, names: Sequence[str], *, persist: bool) -> bool:
        upgraded = True
        for name in names:
            if name not in self._selection.chosen and not self.mark(name):
                self._selection.refused.setdefault(name, "cannot be upgraded with all it needs")
                upgraded = False
                if not persist:
                    break
        return upgraded

    def _mark_needs(self, needs: Sequence[Alternatives], *, settled: bool, persist: bool) -> bool:
        complete = True
        for alternatives in needs:
            if self._selection.is_met(alternatives, self._selection.planned):
                if settled:
                    complete &= self._settle_the_only_one(alternatives)
            elif not self._mark_one_of(alternatives, settled=settled):
                complete = False
                if not persist:
                    break
        return complete

    def _settle_the_only_one(self, alternatives: Alternatives) -> bool:
        """What nothing else can stand in for must stay, once the package does that needs it."""
        selection = self._selection
        found = {
            (package.name, package.version)
            for relation in alternatives
            for pick in (selection.candidate, selection.now)
            for package in selection.fitting(relation, pick)
            if self._is_open(package)
        }
        if len(found) != 1:
            return True
        [(name, _)] = found
        if name in selection.settled:
            return True
        selection.settled.add(name)
        return self.mark(name)

    def _mark_one_of(self, alternatives: Alternatives, *, settled: bool) -> bool:
        selection = self._selection
        ranks = self._options(alternatives)
        is_the_only_one = sum(map(len, ranks)) == 1
        for option in self._in_order(ranks):
            if selection.candidate(option.name) is not option:
                continue
            if settled and is_the_only_one:
                if not self.mark(option.name, follow=False):
                    continue
                selection.settled.add(option.name)
            if self.mark(option.name):
                return True
        return False

    def _options(self, alternatives: Alternatives) -> list[list[Package]]:
        """Candidates that would do, the best first, those of one rank together.

        Upgrades come before what is new, whatever the order of the alternatives.
        """
        selection = self._selection
        seen: set[str] = set()
        present: list[list[Package]] = []
        new: list[list[Package]] = []
        for relation in alternatives:
            rank = partial(self._rank, wanted=relation.name)
            fitting = [
                package
                for package in selection.fitting(relation, selection.candidate)
                if package.name not in seen and self._is_open(package)
            ]
            seen.update(package.name for package in fitting)
            for _, group in groupby(sorted(fitting, key=rank), rank):
                equals = [*group]
                there = [package for package in equals if selection.now(package.name)]
                present.append(there)
                new.append([package for package in equals if package not in there])
        return [*present, *new]

    def _in_order(self, ranks: Sequence[list[Package]]) -> Iterator[Package]:
        """What nothing else decides is taken as apt heard of it: the last one first."""
        index = self._selection.index
        for equals in ranks:
            if len(equals) > 1:
                equals.sort(key=lambda package: index.first_mention(package.name), reverse=True)
            yield from equals

    def _rank(self, package: Package, wanted: str) -> tuple[bool | int, ...]:
        """Where a package stands among those that provide what is wanted; the lowest is taken."""
        selection, fields = self._selection, package.fields
        present = selection.now(package.name) is not None
        important = "yes" in {fields.get("Important"), fields.get("Protected")}
        return (
            package.name not in selection.settled,
            not (present and fields.get("Multi-Arch") == "same"),
            not present,
            package.name != wanted,
            fields.get("Essential") != "yes",
            not important,
            _PRIORITIES.get(fields.get("Priority", ""), _LOWEST_PRIORITY),
        )

    def _is_open(self, package: Package) -> bool:
        """Whether a package may still be chosen, or is there."""
        selection, name = self._selection, package.name
        return name not in selection.settled or selection.planned(name) is not None

    def _choose(self, name: str) -> None:
        selection = self._selection
        candidate = selection.candidate(name)
        if candidate is None or candidate is selection.now(name):
            selection.chosen.pop(name, None)
        else:
            selection.chosen[name] = candidate

    def _drop(self, name: str) -> None:
        selection = self._selection
        selection.chosen.pop(name, None)
        selection.set_candidate(name, selection.now(name))

    @contextmanager
    def _settling(self, name: str) -> Iterator[None]:
        """Nothing that is chosen for a package may unmake it."""
        settled = self._selection.settled
        already = name in settled
        settled.add(name)
        try:
            yield
        finally:
            if not already:
                settled.discard(name)
