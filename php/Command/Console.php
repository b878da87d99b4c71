<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\ExceptionInterface;
use Symfony\Component\Console\Application;
use Symfony\Component\Console\Input\ArgvInput;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\ConsoleOutput;

/**
 * Provides the command line: what `php public/index.php proletarier ...` and `bin/proletarier` run.
 */
final class Console
{
    private const COMMANDS = [
        RunCommand::class,
        BrokerCommand::class,
        WorkerCommand::class,
        TriggerCommand::class,
        FailedCommand::class,
        WaitingCommand::class,
        SpoolCommand::class,
        StatusCommand::class,
        QueuesCommand::class,
        ReloadCommand::class,
        StopCommand::class,
    ];

    /**
     * Runs the command that `$argv` names and returns the exit status: 1 where it failed, the reason being on stderr.
     *
     * @param object $container the application's, with get() and has()
     * @param list<string> $argv
     * @param int $skip how many arguments after the script's name are not the command's
     */
    public static function main(object $container, array $argv, int $skip = 0): int
    {
        if (!class_exists(Application::class)) {
            return self::fail(
                'The commands need symfony/console, 5.4 to 7: composer require symfony/console '
                . '(Debian: apt install php-symfony-console)'
            );
        }
        array_splice($argv, 1, $skip);
        $application = self::application($container);
        $output = new ConsoleOutput();
        try {
            return $application->run(new ArgvInput($argv), $output);
        } catch (\Throwable $error) {
            // Ours say all that is needed, in one line that can be copied; service managers wrap what a factory throws.
            for ($cause = $error; $cause !== null; $cause = $cause->getPrevious()) {
                if ($cause instanceof ExceptionInterface) {
                    return self::fail($cause->getMessage());
                }
            }
            $application->renderThrowable($error, $output->getErrorOutput());

            return 1;
        }
    }

    public static function application(object $container): Application
    {
        $application = new Application('Proletarier', phpversion('proletarier') ?: 'without extension');
        $application->setAutoExit(false);
        $application->setCatchExceptions(false);
        // Read before any command is; declared for the help, and so that no command refuses it.
        $application->getDefinition()->addOption(new InputOption('config', 'c', InputOption::VALUE_REQUIRED, ContainerFile::HELP));
        foreach (self::COMMANDS as $class) {
            $command = new $class($container);
            method_exists($application, 'addCommand') ? $application->addCommand($command) : $application->add($command);
        }

        return $application;
    }

    public static function fail(string $message): int
    {
        fwrite(STDERR, 'proletarier: ' . $message . PHP_EOL);

        return 1;
    }
}
