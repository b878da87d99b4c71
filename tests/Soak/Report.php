<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * Prints what came out.
 */
final class Report
{
    public static function show(Site $site, Account $account, Duplicates $duplicates, Target $target, Fleet $fleet, float $produced, float $drained): void
    {
        $count = $account->counts;
        self::table('events', [
            'triggered' => sprintf('%d, %.0f a second', $count['intended'], $count['intended'] / $produced),
            'confirmed' => $count['confirmed'],
            'not confirmed (none, or the producer was killed)' => $count['unknown'],
            'of these trigger() threw' => $count['refused'],
            'kept out by a unique key' => $count['kept out'],
        ]);
        foreach ($account->levels as $level => [$intended, $confirmed, $unknown]) {
            printf("  %-50s %d triggered, %d confirmed, %d of the others there\n", $level, $intended, $confirmed, $unknown);
        }
        self::table('event and listener', [
            'to be done' => $count['pairs'],
            'handled' => $count['handled'],
            'dead' => $count['dead'],
            'expired' => $count['expired'],
            'discarded, or cancelled' => $count['discarded'],
            'LOST' => $count['lost'],
        ]);
        self::table('done twice', $duplicates->causes);
        self::table('deeds', $target->deeds + ['starts of the daemon' => $target->starts, 'producers' => $fleet->count()]);
        $workers = 0;
        foreach ($site->lines('handled') as $line) {
            $workers += (int) ($line[0] === 'M');
        }
        self::table('', ['workers that a listener ended' => $workers, 'drained after' => sprintf('%.1f s', $drained)]);
    }

    /**
     * What the logs have that they should not have.
     *
     * @return list<string>
     */
    public static function noticed(Site $site): array
    {
        $found = [];
        $bad = '/"proletarier":"lost"|an event was lost|PHP (Fatal|Parse|Warning|Notice|Deprecated)|panicked|set aside|is damaged|the broker stops|can\'t be drained/';
        foreach (['log', 'producers.log', 'operator.log'] as $file) {
            foreach (@file($site->file($file)) ?: [] as $line) {
                // A write that its broker's death has torn: nobody was told that it is kept.
                $torn = str_contains($line, '"found":"1 damaged pieces (') && str_contains($line, ' 0 entries)') && !str_contains($line, 'missing');
                if (!$torn && preg_match($bad, $line) === 1 && !str_contains($line, 'a fatal error')) {
                    $found[] = "$file: " . substr(rtrim($line), 0, 500);
                }
            }
        }

        return $found;
    }

    /** @param array<string, int|string> $rows */
    private static function table(string $title, array $rows): void
    {
        echo $title === '' ? '' : "$title\n";
        foreach ($rows as $name => $value) {
            printf("  %-50s %s\n", $name, $value);
        }
    }
}
