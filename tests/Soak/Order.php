<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * Whether events of one key ran one after the other, in the order in which their producer triggered them: none begins before all that was done of
 * those before it was done, retries included.
 */
final class Order
{
    /** @var list<string> what does not hold */
    public array $wrong = [];
    /** Events that were followed. */
    public int $count = 0;

    /** @var array<string, float> when an event was begun first, and when something of it was done last */
    private array $begun = [];
    private array $done = [];
    /** @var array<string, true> events that an operator, or their death, took out of the order */
    private array $apart = [];

    /** @param list<array<string, mixed>> $letters the dead letters that are left */
    public function __construct(private Site $site, array $letters)
    {
        foreach ($letters as $letter) {
            $this->apart[$letter['params']['ref']] = true;
        }
        foreach ($site->lines('operated') as [, $ref]) {
            $this->apart[$ref] = true;
        }
        foreach ($site->lines('handled') as [$what, $ref, , , , $at]) {
            if ($what === 'B') {
                $this->begun[$ref] = min($this->begun[$ref] ?? INF, (float) $at);
            } elseif ($what === 'D') {
                $this->done[$ref] = max($this->done[$ref] ?? 0.0, (float) $at);
            }
        }
    }

    public function check(): void
    {
        foreach (scandir($this->site->file('produced')) ?: [] as $number) {
            if (!ctype_digit($number)) {
                continue;
            }
            $last = [];
            foreach ($this->site->lines("produced/$number") as $line) {
                if ($line[0] === 'I' && ($line[3] ?? '')[0] === 'k' && isset($this->begun[$line[1]])) {
                    $this->follows($last[Events::queue($line[2]) . $line[3]] ?? [], $line[1]);
                    $last[Events::queue($line[2]) . $line[3]][] = $line[1];
                }
            }
        }
    }

    /** @param list<string> $before */
    private function follows(array $before, string $ref): void
    {
        $this->count++;
        foreach ($before as $other) {
            if (!isset($this->apart[$other]) && ($this->done[$other] ?? 0.0) > $this->begun[$ref]) {
                $by = $this->done[$other] - $this->begun[$ref];
                $this->wrong[] = sprintf('%s began %.6F s before %s, of the same key, had been done', $ref, $by, $other);
            }
        }
    }
}
