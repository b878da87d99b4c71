<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * What became of each event, by listener: from what producers, listeners and the operator wrote, what the daemon logged, and its dead letters.
 *
 * An event counts as confirmed where trigger() (accepted, synced), flush() or the process's own end (deferred) said so. Of the others nobody
 * knows whether they are there; but one that any trace is left of has to be there for all of its listeners.
 */
final class Account
{
    private const CONFIRMED = 1;
    private const KEPT_OUT = 2;
    private const EXPIRES = 4;
    private const UNIQUE = 8;
    private const SPOOLED = 16;
    /** Where the number of the event's name begins. */
    private const NAME = 8;
    /** Four bits for each listener: how often it has done (3 means more), and what else became of it. */
    private const DONE = 3;
    private const DEAD = 4;
    private const REMOVED = 8;

    /** @var array<string, int> flags by event */
    private array $events = [];
    /** @var array<string, int> outcomes by event */
    private array $outcomes = [];
    /** @var array<string, true> */
    private array $expired = [];
    /** @var array<string, true> of whose removal the daemon's word is missing, by event and place */
    private array $maybe = [];

    /** @var array<string, int> what there is, by (event, listener); 'events' by event */
    public array $counts = [
        'intended' => 0, 'confirmed' => 0, 'unknown' => 0, 'refused' => 0, 'kept out' => 0, 'pairs' => 0,
        'handled' => 0, 'dead' => 0, 'expired' => 0, 'discarded' => 0, 'lost' => 0, 'twice' => 0,
    ];
    /** @var list<string> what does not hold */
    public array $wrong = [];
    /** @var array<string, array{int, int, int}> by confirm level: intended, confirmed, there without being confirmed */
    public array $levels = [];
    /** @var array<string, string> confirm level by producer */
    private array $producers = [];
    /** @var array<string, list<int>> places of listeners that did it twice, by event */
    public array $twice = [];

    public function __construct(private Site $site)
    {
    }

    /** @param list<array<string, mixed>> $letters the dead letters that are left */
    public function take(array $letters): void
    {
        $ends = [];
        foreach ($this->site->lines('producers') as [$number, $how, $status]) {
            $ends[$number] = "$how $status";
        }
        foreach (scandir($this->site->file('produced')) ?: [] as $number) {
            if (ctype_digit($number)) {
                $this->takeProducer($number, $ends[$number] ?? 'unknown');
            }
        }
        $this->takeHandlers();
        foreach ($this->site->lines('handled') as $line) {
            if ($line[0] === 'D') {
                $this->takeDone($line[1], $line[2]);
            }
        }
        foreach ($letters as $letter) {
            $listeners = array_map(static fn (string $id): string => substr($id, strpos($id, '/') + 1), $letter['listeners'] ?? []);
            $this->mark($letter['params']['ref'], $listeners, self::DEAD);
        }
        foreach ($this->site->lines('operated') as [$verb, $ref, $listeners]) {
            $listeners = $listeners === '*' ? [] : explode(',', $listeners);
            if ($verb === 'discarded' || $verb === 'cancelled') {
                $this->mark($ref, $listeners, self::REMOVED);
            } elseif ($verb !== 'replayed' && $verb !== 'maybe-replayed') {
                foreach ($this->places($ref, $listeners) as $place) {
                    $this->maybe["$ref/$place"] = true;
                }
            }
        }
        foreach (file($this->site->file('log')) ?: [] as $line) {
            if (str_contains($line, 'expired before it was started') && preg_match('/"id":"([^"]+)"/', $line, $match) === 1) {
                $this->expired[$match[1]] = true;
            }
        }
        $this->settle();
    }

    private function takeProducer(string $number, string $end): void
    {
        $open = [];
        $level = 'unknown';
        foreach ($this->site->lines("produced/$number") as $line) {
            $ref = $line[1] ?? '';
            switch ($line[0]) {
                case 'P':
                    $level = $line[2];
                    break;
                case 'I':
                    $name = array_search($line[2], array_keys(Events::LISTENERS), true);
                    $flags = ['x' => self::EXPIRES, 'u' => self::UNIQUE][$line[3]] ?? 0;
                    $this->events[$ref] = $flags | $name << self::NAME;
                    break;
                case 'C':
                    $this->events[$ref] |= self::CONFIRMED | ($line[2] === 's' ? self::SPOOLED : 0);
                    break;
                case 'T':
                    $open[] = $ref;
                    break;
                case 'K':
                    $this->events[$ref] |= self::KEPT_OUT;
                    break;
                case 'X':
                    $this->counts['refused']++;
                    if (!str_ends_with($line[2], 'BrokerUnavailable') && !str_ends_with($line[2], 'Overloaded')) {
                        $this->wrong[] = 'a producer got ' . implode(' ', array_slice($line, 1));
                    }
                    break;
                case 'F':
                    $this->confirm($open);
                    break;
            }
        }
        // A process that ends by itself leaves nothing deferred behind; nobody follows up what was triggered with 'none'.
        if ($level === 'deferred' && $end === 'status 0') {
            $this->confirm($open);
        }
        if ($end !== 'status 0' && $end !== 'signal 9') {
            $this->wrong[] = "producer $number ended with $end";
        }
        $this->producers[$number] = $level;
    }

    /** What handlers triggered: it is certain before their own outcome is, of the run that stands, which is the last. */
    private function takeHandlers(): void
    {
        $link = array_search(Events::LINK, array_keys(Events::LISTENERS), true) << self::NAME;
        [$triggered, $last] = [[], []];
        foreach ($this->site->lines('handled') as $line) {
            if ($line[2] !== 'chain') {
                continue;
            }
            if ($line[0] === 'I') {
                $this->events[$line[6]] = $link;
                $triggered["$line[1] $line[4]"] = $line[6];
            } elseif ($line[0] === 'D') {
                $last[$line[1]] = $triggered["$line[1] $line[4]"];
            }
        }
        foreach ($last as $ref) {
            $this->events[$ref] |= self::CONFIRMED;
        }
        $this->producers[Events::HANDLERS] = 'by handlers';
    }

    /** @param list<string> $refs */
    private function confirm(array &$refs): void
    {
        foreach ($refs as $ref) {
            $this->events[$ref] |= self::CONFIRMED;
        }
        $refs = [];
    }

    private function takeDone(string $ref, string $listener): void
    {
        foreach ($this->places($ref, [$listener]) as $place) {
            $outcome = $this->outcomes[$ref] ?? 0;
            if (($outcome >> 4 * $place & self::DONE) < self::DONE) {
                $this->outcomes[$ref] = $outcome + (1 << 4 * $place);
            }
        }
    }

    /** @param list<string> $listeners none: all */
    private function mark(string $ref, array $listeners, int $mark): void
    {
        foreach ($this->places($ref, $listeners) as $place) {
            $this->outcomes[$ref] = ($this->outcomes[$ref] ?? 0) | $mark << 4 * $place;
        }
    }

    /**
     * @param list<string> $listeners none: all
     *
     * @return list<int>
     */
    private function places(string $ref, array $listeners): array
    {
        $event = $this->events[$ref] ?? null;
        if ($event === null) {
            $this->wrong[] = "$ref was handled, or is dead, and nobody ever triggered it";

            return [];
        }
        $all = array_values(Events::LISTENERS)[$event >> self::NAME];
        if ($listeners === []) {
            return array_keys($all);
        }
        $places = [];
        foreach ($listeners as $listener) {
            $place = array_search($listener, $all, true);
            if ($place === false) {
                $this->wrong[] = "$ref was handled by $listener, which is none of its listeners";
            } else {
                $places[] = $place;
            }
        }

        return $places;
    }

    private function settle(): void
    {
        $this->counts['intended'] = count($this->events);
        foreach ($this->events as $ref => $event) {
            $ref = (string) $ref;
            $outcome = $this->outcomes[$ref] ?? 0;
            $level = &$this->levels[$this->producers[strstr($ref, '-', true)]];
            $level ??= [0, 0, 0];
            $level[0]++;
            if ($event & self::KEPT_OUT) {
                $this->counts['kept out']++;
                if ($outcome !== 0) {
                    $this->wrong[] = "$ref was handled, though trigger() had returned the id of another with its unique key";
                }
                continue;
            }
            $traced = $outcome !== 0 || isset($this->expired[$ref]);
            if (!($event & self::CONFIRMED)) {
                $this->counts['unknown']++;
                if (!$traced) {
                    continue;
                }
                $level[2]++;
            } else {
                $this->counts['confirmed']++;
                $level[1]++;
                // Its key was another's when it was drained.
                if (!$traced && $event & self::SPOOLED && $event & self::UNIQUE) {
                    $this->counts['kept out']++;
                    continue;
                }
            }
            $this->settlePairs($ref, $event, $outcome);
        }
    }

    private function settlePairs(string $ref, int $event, int $outcome): void
    {
        foreach (array_values(Events::LISTENERS)[$event >> self::NAME] as $place => $listener) {
            $this->counts['pairs']++;
            $of = $outcome >> 4 * $place & 15;
            $done = $of & self::DONE;
            $other = match (true) {
                ($of & self::DEAD) !== 0 => 'dead',
                ($of & self::REMOVED) !== 0 => 'discarded',
                isset($this->expired[$ref]) && $done === 0 => 'expired',
                isset($this->maybe["$ref/$place"]) && $done === 0 => 'discarded',
                default => null,
            };
            if ($done === 0 && $other === null) {
                $this->counts['lost']++;
                $this->wrong[] = sprintf('%s: %s never did it, and it is nowhere (%s)', $ref, $listener, $event & self::CONFIRMED ? 'confirmed' : 'not confirmed');
                continue;
            }
            $this->counts[$done > 0 ? 'handled' : $other]++;
            if ($done > 1 || ($done > 0 && $other !== null)) {
                $this->counts['twice']++;
                $this->twice[$ref][] = $place;
            }
        }
    }

    /** The name of the listener at an event's place. */
    public function listener(string $ref, int $place): string
    {
        return array_values(Events::LISTENERS)[$this->events[$ref] >> self::NAME][$place];
    }

    /** Whether the event was spooled for certain. */
    public function wasSpooled(string $ref): bool
    {
        return ($this->events[$ref] & self::SPOOLED) !== 0;
    }
}
