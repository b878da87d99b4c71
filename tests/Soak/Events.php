<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * The events of a run, and the listeners that each has.
 */
final class Events
{
    /** By name, in the order in which they run; 'sure' always succeeds. */
    public const LISTENERS = [
        'soak.plain' => ['sure', 'moody'],
        'soak.rough' => ['sure', 'mortal', 'moody'],
        'soak.final' => ['stubborn', 'sure', 'later'],
        'soak.chain' => ['sure', 'chain'],
    ];

    /** What the listener 'chain' triggers. */
    public const LINK = 'soak.plain';
    /** What stands for a producer's number in the names of these. */
    public const HANDLERS = 'h';

    /** The identity of an event's listener. */
    public static function identity(string $event, string $listener): string
    {
        return "$event/$listener";
    }

    /** Draws a name. */
    public static function name(Dice $dice): string
    {
        $draw = $dice->next();

        return match (true) {
            $draw < 0.55 => 'soak.plain',
            $draw < 0.8 => 'soak.rough',
            $draw < 0.95 => 'soak.final',
            default => 'soak.chain',
        };
    }
}
