<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * Why listeners did it twice: one kill of a worker explains one, and nothing else does.
 */
final class Duplicates
{
    /** A worker that is killed has done what it was at not longer than so many seconds ago. */
    private const NEAR = 2.0;
    /** A kill is noted a moment after it. */
    private const LATE = 0.1;

    /** @var array<string, int> how many by cause */
    public array $causes = ['killed workers' => 0, 'killed daemons' => 0, 'not explained' => 0];
    /** @var list<string> */
    public array $wrong = [];

    /** @var array<string, list<array{float, string, bool}>> moment, cause, and whether it explained one, by pid */
    private array $kills = [];

    public function __construct(private Site $site, private Account $account)
    {
        foreach ($site->lines('deeds') as $words) {
            $cause = match ($words[1]) {
                'worker-killed' => 'killed workers',
                'whole-daemon-killed' => 'killed daemons',
                default => null,
            };
            if ($cause !== null) {
                foreach (array_slice($words, 2) as $pid) {
                    $this->kills[$pid][] = [(float) $words[0], $cause, false];
                }
            }
        }
    }

    public function explain(): void
    {
        $lines = [];
        foreach ($this->account->twice === [] ? [] : $this->site->lines('handled') as $line) {
            if ($line[0] === 'D' && isset($this->account->twice[$line[1]])) {
                $lines["$line[1] $line[2]"][] = $line;
            }
        }
        foreach ($this->account->twice as $ref => $places) {
            foreach ($places as $place) {
                $listener = $this->account->listener((string) $ref, $place);
                $did = $lines["$ref $listener"];
                usort($did, static fn (array $one, array $other): int => $one[5] <=> $other[5]);
                // The last one stands; where it is dead or discarded besides, none does.
                foreach (count($did) > 1 ? array_slice($did, 0, -1) : $did as $line) {
                    $this->explainOne($line);
                }
            }
        }
    }

    /** @param list<string> $line */
    private function explainOne(array $line): void
    {
        [, $ref, $listener, $attempt, $pid, $at] = $line;
        foreach ($this->kills[$pid] ?? [] as $number => [$killed, $cause, $used]) {
            if (!$used && (float) $at <= $killed + self::LATE && $killed - (float) $at <= self::NEAR) {
                $this->kills[$pid][$number][2] = true;
                $this->causes[$cause]++;

                return;
            }
        }
        $this->causes['not explained']++;
        $this->wrong[] = sprintf(
            '%s: %s did it in attempt %s, in process %s at %s, and then again%s',
            $ref,
            $listener,
            $attempt,
            $pid,
            $at,
            $this->account->wasSpooled($ref) ? '; it had been spooled' : '',
        );
    }
}
