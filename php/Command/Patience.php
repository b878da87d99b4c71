<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Symfony\Component\Console\Input\InputInterface;

/**
 * The option `--wait` of reload and stop: how long their end is waited for.
 */
final class Patience
{
    public const SECONDS = '30';
    /** Microseconds between two looks. */
    private const LOOK = 50_000;

    /** Seconds; null: nobody waits. */
    public static function of(InputInterface $input): ?float
    {
        $given = $input->getOption('wait');
        if ($given === false) {
            return null;
        }
        $seconds = filter_var($given ?? self::SECONDS, FILTER_VALIDATE_FLOAT);
        if ($seconds === false || $seconds <= 0 || $seconds > 86_400) {
            throw new InvalidArgument("--wait: '$given' is not allowed: give seconds, more than 0 and up to 86400");
        }

        return $seconds;
    }

    /**
     * Looks until there is something, and returns it; null where there was nothing in time.
     *
     * @template T
     * @param \Closure(): (T|null) $look
     * @return T|null
     */
    public static function await(float $seconds, \Closure $look): mixed
    {
        for ($until = microtime(true) + $seconds; ($found = $look()) === null && microtime(true) < $until;) {
            usleep(self::LOOK);
        }

        return $found;
    }
}
